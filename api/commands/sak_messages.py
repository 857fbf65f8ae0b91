"""`python -m api sak send|reconcile`: sends messages and reconciles sends of unknown outcome."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from api.commands.results import EXIT_NEGATIVE, EXIT_OK, EXIT_UNKNOWN, CommandResult
from api.gateway import errors
from api.gateway.media import MEDIA_KINDS, MediaKind
from api.gateway.settings import SakSettings
from api.sending import reconciliation, requests, routes
from api.sending.outbox import Outbox
from api.sending.requests import SendRequest
from store.sending import unsettled

_COMMAND_LINE_TOKEN = "command line"  # noqa: S105 - sends have this name in place of a token's
_EXIT_CODES = {"sent": EXIT_OK, "queued": EXIT_OK, "failed": EXIT_NEGATIVE}
"""The exit codes by state. Other states give EXIT_UNKNOWN."""


def add_send_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, help="the phone number, with its country code")
    words = parser.add_mutually_exclusive_group()
    words.add_argument("--text", help="the text, or the caption of a file")
    words.add_argument("--caption", help="the caption of a file")
    files = parser.add_mutually_exclusive_group()
    for kind in MEDIA_KINDS:
        files.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"send FILE as {kind}")
    parser.add_argument("--key", metavar="KEY", help="an idempotency key; a second send with it sends nothing")


def send(sak_settings: SakSettings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Send a text or a file, recorded like every other send."""
    if sak_settings.session_id is None:
        raise errors.NotConfiguredError("SAK_SESSION_ID is not set: name the session with --session")
    if sak_settings.api_key is None:
        raise errors.NotConfiguredError("SAK_API_KEY is not set: SAK requires it for messages")
    with ExitStack() as open_until_sent:
        request = _send_request(arguments, open_until_sent)
        outbox = open_until_sent.enter_context(Outbox(database_url, sak_settings))
        draft = outbox.prepare(request, _COMMAND_LINE_TOKEN, sak_settings.session_id, arguments.key)
        send = outbox.submit(draft, request).send
    lines = [f"{send.state}: {send.address}", f"send     {send.send_id}"]
    if message_id := send.message_id or send.gateway_id:
        lines.append(f"message  {message_id}")
    if send.reason:
        lines.append(send.reason)
    if send.state == "unknown":
        lines.append(f"before you send it again, run: python -m api sak reconcile {send.send_id}")
    return CommandResult(tuple(lines), routes.send_fields(send), _EXIT_CODES.get(send.state, EXIT_UNKNOWN))


def _send_request(arguments: argparse.Namespace, stack: ExitStack) -> SendRequest:
    kinds: list[MediaKind] = [kind for kind in MEDIA_KINDS if getattr(arguments, kind) is not None]
    if not kinds:
        if arguments.caption is not None:
            raise OSError("a caption needs a file: name it with --image, --document or --video, or use --text")
        if not (arguments.text or "").strip():
            raise OSError("there is nothing to send: give --text, or a file")
        text = requests.validated_text("text", arguments.text, requests.MAX_TEXT_LENGTH)
        return SendRequest(arguments.to, text, None)
    path: Path = getattr(arguments, kinds[0])
    content = stack.enter_context(path.open("rb"))
    words: str | None = arguments.caption or arguments.text
    caption = requests.validated_text("caption", words, requests.MAX_CAPTION_LENGTH) if words else None
    file = requests.media_file(kinds[0], content, path.name, path.stat().st_size)
    return SendRequest(arguments.to, caption, None, file)


def add_reconcile_arguments(parser: argparse.ArgumentParser) -> None:
    selection = parser.add_mutually_exclusive_group(required=True)
    selection.add_argument("send", nargs="?", type=UUID, metavar="ID", help="the id of the send")
    selection.add_argument("--all", action="store_true", help="every send that is unknown or queued")


def reconcile(sak_settings: SakSettings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Compare one send, or all that are unknown or queued, with SAK's list."""
    with Outbox(database_url, sak_settings) as outbox:
        if arguments.send is None:
            with outbox.pool.connection() as connection:
                unsettled_sends = unsettled.find(connection)
        else:
            send = outbox.get(arguments.send)
            if send is None:
                return CommandResult(("there is no send with that id",), {"sends": []}, EXIT_NEGATIVE)
            unsettled_sends = [send]
        results = [reconciliation.reconcile(outbox, send) for send in unsettled_sends]
    lines = [
        f"{result.send.send_id}  {result.send.state:<8} {result.send.address}  {result.explanation}"
        for result in results
    ] or ["no send is unknown or queued"]
    data = [routes.reconciliation_fields(result) for result in results]
    exit_code = EXIT_OK if all(result.is_settled for result in results) else EXIT_NEGATIVE
    return CommandResult(tuple(lines), {"sends": data}, exit_code)
