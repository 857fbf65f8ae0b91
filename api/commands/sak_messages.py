"""What the commands do that need the database: send, reconcile, and prove the whole path with a ping."""

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from api.commands.sak_webhooks import EXIT_NEGATIVE, EXIT_OK, CommandResult
from api.gateway import client, errors
from api.gateway.client import MediaKind
from api.gateway.settings import Settings
from api.sending import reconciliation, requests, routes
from api.sending.outbox import Outbox
from api.sending.requests import SendRequest
from store.history import sessions
from store.postgres import connections
from store.postgres.errors import StoreError
from store.sending import unsettled

COMMAND_LINE_TOKEN = "command line"  # noqa: S105 - a name, as tokens have one
EXIT_UNKNOWN = 5
_MEDIA_KINDS: tuple[MediaKind, ...] = ("image", "document", "video")
_EXIT_CODES = {
    "sent": EXIT_OK,
    "queued": EXIT_OK,
    "failed": EXIT_NEGATIVE,
    "accepted": EXIT_UNKNOWN,
    "unknown": EXIT_UNKNOWN,
}


class PathCheckError(Exception):
    """Which step of the path failed, and what to look at."""


def send(gateway_settings: Settings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Send a text or a file, kept like every other send."""
    if gateway_settings.session_id is None:
        raise errors.NotConfiguredError("SAK_SESSION_ID is not set: name the session with --session")
    if gateway_settings.api_key is None:
        raise errors.NotConfiguredError("SAK_API_KEY is not set: SAK wants it for messages")
    with ExitStack() as open_until_sent:
        wanted = _send_request(arguments, open_until_sent)
        outbox = open_until_sent.enter_context(Outbox(database_url, gateway_settings))
        draft = outbox.prepare(
            wanted, token_name=COMMAND_LINE_TOKEN, session_id=gateway_settings.session_id, idempotency_key=arguments.key
        )
        send = outbox.submit(draft, wanted).send
    lines = [f"{send.state}: {send.address}", f"send     {send.send_id}"]
    if number := send.message_id or send.gateway_id:
        lines.append(f"message  {number}")
    if send.reason:
        lines.append(send.reason)
    if send.state == "unknown":
        lines.append(f"do not send it again before you know: python -m api sak reconcile {send.send_id}")
    return CommandResult(tuple(lines), routes.as_json(send), _EXIT_CODES[send.state])


def _send_request(arguments: argparse.Namespace, stack: ExitStack) -> SendRequest:
    kinds: list[MediaKind] = [kind for kind in _MEDIA_KINDS if getattr(arguments, kind) is not None]
    if not kinds:
        if not (arguments.text or "").strip():
            raise OSError("there is nothing to send: give --text, or a file")
        return SendRequest(
            arguments.to, "text", requests.check_text("text", arguments.text, requests.MAX_TEXT_LENGTH), None
        )
    path: Path = getattr(arguments, kinds[0])
    content = stack.enter_context(path.open("rb"))
    caption = requests.check_text("caption", arguments.text, requests.MAX_CAPTION_LENGTH) if arguments.text else None
    return SendRequest(
        arguments.to, kinds[0], caption, None, requests.attachment(kinds[0], content, path.name, path.stat().st_size)
    )


def reconcile(gateway_settings: Settings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Compare one send, or all that are unknown or queued, with SAK's list."""
    with Outbox(database_url, gateway_settings) as outbox:
        if arguments.send is None:
            with outbox.pool.connection() as connection:
                wanted = unsettled.find(connection)
        else:
            found = outbox.get(arguments.send)
            if found is None:
                return CommandResult(("there is no send with that id",), {"sends": []}, EXIT_NEGATIVE)
            wanted = [found]
        verdicts = [reconciliation.reconcile(outbox, one) for one in wanted]
    lines = [f"{one.send.send_id}  {one.send.state:<8} {one.send.address}  {one.explanation}" for one in verdicts] or [
        "nothing is unknown or queued"
    ]
    data = [{**routes.as_json(one.send), "settled": one.is_settled, "explanation": one.explanation} for one in verdicts]
    return CommandResult(
        tuple(lines), {"sends": data}, EXIT_OK if all(one.is_settled for one in verdicts) else EXIT_NEGATIVE
    )


def test(gateway_settings: Settings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Prove the path from SAK to PostgreSQL: SAK posts a ping, ingest takes it, a worker stores it.

    Raises StepError, naming the step that failed; SakError where SAK itself says no.
    """
    try:
        with connections.open(database_url, "sak test") as connection:
            before = sessions.last_pings(connection)
            lines = ["1 database  reached", *_request_ping(gateway_settings, arguments)]
            seen = _poll(
                lambda: _new_ping_session(before, sessions.last_pings(connection), gateway_settings.session_id),
                arguments.seconds,
            )
    except StoreError as error:
        raise PathCheckError(f"step 1, database: {error}") from error
    if seen is None:
        raise PathCheckError(
            f"step 4, worker: ingest took the ping, and PostgreSQL did not show it within {arguments.seconds:g} s: "
            "is a worker running, on the Redis of ingest and on the database of this command?"
        )
    lines += [f"4 worker    stored it: seen in PostgreSQL for session {seen}", "the whole path works"]
    return CommandResult(tuple(lines), {"session_id": seen, "steps": lines[:-1]})


def _request_ping(gateway_settings: Settings, arguments: argparse.Namespace) -> list[str]:
    with client.SakClient(gateway_settings) as gateway:
        try:
            results = gateway.test_webhooks(arguments.webhook, arguments.url)
        except errors.SakError as error:
            raise PathCheckError(f"step 2, SAK: {error}") from error
    taken = [result for result in results if result.succeeded]
    if not taken:
        told = "; ".join(f"{one.url} {_describe_response(one.status, one.response_preview)}" for one in results)
        raise PathCheckError(f"step 3, ingest: no webhook took the ping: {told or 'SAK tried none'}")
    return [
        f"2 SAK       posted a ping to {len(results)} webhook{'s' if len(results) > 1 else ''}",
        f"3 ingest    took it at {', '.join(result.url or '?' for result in taken)}",
    ]


def _describe_response(status: int | None, preview: str) -> str:
    if status is None:
        return f"could not be reached by SAK ({preview})"
    hint = ": its secret is not in WEBHOOK_SECRETS of ingest (register --write-env)" if status == 401 else ""
    return f"answered {status}{hint}"


def _new_ping_session(before: Mapping[str, int], now: Mapping[str, int], session_id: str | None) -> str | None:
    """The session whose ping is new."""
    for session, at in now.items():
        if at > before.get(session, 0) and session_id in (None, session):
            return session
    return None


def _poll(probe: Callable[[], str | None], seconds: float) -> str | None:
    end = time.monotonic() + seconds
    while (answer := probe()) is None and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def add_send_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, help="the phone number, with its country code")
    parser.add_argument("--text", help="the text, or the caption of a file")
    files = parser.add_mutually_exclusive_group()
    for kind in _MEDIA_KINDS:
        files.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"send FILE as {kind}")
    parser.add_argument("--key", metavar="KEY", help="an idempotency key: the same one again sends nothing twice")


def add_reconcile_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("send", nargs="?", type=UUID, metavar="ID", help="the send's id")
    which.add_argument("--all", action="store_true", help="every send that is unknown or queued")


def add_test_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--webhook", metavar="ID", help="only this webhook")
    parser.add_argument("--url", help="only the webhook at this URL")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to wait for PostgreSQL (default: 20)")
