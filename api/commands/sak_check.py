"""`python -m api sak test`: checks the path from SAK through ingest and a worker to PostgreSQL with a ping."""

import argparse
import time
from collections.abc import Mapping

from api.commands.results import EXIT_NEGATIVE, EXIT_OK, CommandResult
from api.gateway import client, errors
from api.gateway.settings import SakSettings
from store.history.sessions import sessions
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import StoreError

_POLL_SECONDS = 0.1


class PathCheckError(Exception):
    """A step failed. The message names it and what to check."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--webhook", metavar="ID", help="only this webhook")
    parser.add_argument("--url", help="only the webhook at this URL")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to wait for PostgreSQL (default: 20)")


def run(sak_settings: SakSettings, database_url: str, arguments: argparse.Namespace) -> CommandResult:
    """Make SAK post a ping and wait until PostgreSQL has it. Raises PathCheckError."""
    try:
        with connections.open(database_url, "sak test") as connection:
            before = sessions.last_pings(connection)
            lines = ["1 database  reached", *_request_ping(sak_settings, arguments)]
            session_id = _wait_for_ping(connection, before, sak_settings.session_id, arguments.seconds)
    except StoreError as error:
        raise PathCheckError(f"step 1, database: {error}") from error
    if session_id is None:
        raise PathCheckError(
            f"step 4, worker: ingest accepted the ping, but PostgreSQL did not have it within {arguments.seconds:g} s: "
            "is a worker running, on the Redis of ingest and on the database of this command?"
        )
    lines.append(f"4 worker    stored it: seen in PostgreSQL for session {session_id}")
    connected, line = check_whatsapp(sak_settings, session_id)
    lines.append(line)
    data = {"session_id": session_id, "whatsapp_connected": connected, "steps": lines.copy()}
    lines.append("the whole path works" if connected else "the path from SAK to PostgreSQL works")
    return CommandResult(tuple(lines), data, EXIT_NEGATIVE if connected is False else EXIT_OK)


def _request_ping(sak_settings: SakSettings, arguments: argparse.Namespace) -> list[str]:
    with client.SakClient(sak_settings) as gateway:
        try:
            results = gateway.test_webhooks(arguments.webhook, arguments.url)
        except errors.GatewayError as error:
            raise PathCheckError(f"step 2, SAK: {error}") from error
    urls = [result.url or "?" for result in results if result.succeeded]
    if not urls:
        failures = "; ".join(f"{result.url} {_describe(result.status, result.response_preview)}" for result in results)
        raise PathCheckError(f"step 3, ingest: no webhook accepted the ping: {failures or 'SAK tried none'}")
    return [
        f"2 SAK       posted a ping to {len(results)} webhook{'s' if len(results) > 1 else ''}",
        f"3 ingest    accepted it at {', '.join(urls)}",
    ]


def check_whatsapp(sak_settings: SakSettings, session_id: str) -> tuple[bool | None, str]:
    """Return whether the session is connected to WhatsApp (None if SAK does not report it), and a line that says so."""
    with client.SakClient(sak_settings) as gateway:
        try:
            state = gateway.session_status(session_id)
        except errors.GatewayError as error:
            return None, f"5 WhatsApp  not known: {error}"
    if not state.connected:
        return False, "5 WhatsApp  NOT connected: no message arrives until the phone is linked in SAK again"
    return True, f"5 WhatsApp  connected{f' as {state.phone}' if state.phone else ''}"


def _describe(status: int | None, preview: str) -> str:
    if status is None:
        return f"could not be reached by SAK ({preview})"
    hint = ": its secret is not in WEBHOOK_SECRETS of ingest (register --write-env)" if status == 401 else ""
    return f"responded with status {status}{hint}"


def _wait_for_ping(
    connection: Connection, before: Mapping[str, int], session_id: str | None, seconds: float
) -> str | None:
    """Return the session that has a new ping, or None if none appears in time."""
    end = time.monotonic() + seconds
    while True:
        for session, at in sessions.last_pings(connection).items():
            if at > before.get(session, 0) and session_id in (None, session):
                return session
        if time.monotonic() >= end:
            return None
        time.sleep(_POLL_SECONDS)
