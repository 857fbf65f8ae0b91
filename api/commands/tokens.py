"""`python -m api token …`: creates, lists and revokes API tokens."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from store.access import tokens
from store.postgres import connections
from store.postgres.errors import StoreError

_MAX_NUMBER = 1_000_000


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] - argparse names no public type
    """Add `token create|list|revoke` to a parser."""
    parser = subparsers.add_parser("token", help="create, list and revoke API tokens")
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="create a token and print it; it cannot be shown again")
    create.add_argument("name")
    create.add_argument("--scope", action="append", choices=tokens.SCOPES, help="may be repeated; default: read")
    create.add_argument("--session", action="append", help="may be repeated; default: all sessions")
    create.add_argument("--account", action="append", help="a phone number, for all of its sessions; may be repeated")
    create.add_argument("--days", type=_positive_int, help="days until it expires; default: never")
    create.add_argument("--per-minute", type=_positive_int, default=600, help="requests; default: %(default)s")
    verbs.add_parser("list", help="list all tokens, including revoked ones")
    verbs.add_parser("revoke", help="revoke a token").add_argument("name")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Run a parsed command and return its output. Raises SystemExit with a message."""
    try:
        with connections.open(connections.url(environ), "api token") as connection:
            return _execute(arguments, connection)
    except (StoreError, connections.DatabaseUrlError, tokens.TokenNameError) as error:
        raise SystemExit(f"api: {error}") from error


def _execute(arguments: argparse.Namespace, connection: connections.Connection) -> str:
    if arguments.verb == "create":
        scopes = arguments.scope or ["read"]
        accounts = cast("list[str]", arguments.account or [])
        phones = ["".join(filter(str.isdecimal, account)) for account in accounts]
        sessions = [*cast("list[str]", arguments.session or []), *phones] or None
        days = cast("int | None", arguments.days)
        return tokens.create(
            connection,
            arguments.name,
            scopes,
            session_ids=sessions,
            per_minute=arguments.per_minute,
            expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
        )
    if arguments.verb == "revoke":
        if not tokens.revoke(connection, arguments.name):
            raise SystemExit(f"api: there is no active token named {arguments.name!r}")
        return f"revoked {arguments.name}"
    return "\n".join(_format_token(token) for token in tokens.list_all(connection)) or "there are no tokens"


def _format_token(token: tokens.Token) -> str:
    state = f"revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else "active"
    if token.expires_at and not token.revoked_at:
        state = f"{'active until' if token.expires_at > datetime.now(UTC) else 'expired'} {token.expires_at:%Y-%m-%d}"
    sessions = "all sessions" if token.session_ids is None else ", ".join(token.session_ids)
    return f"{token.name}: {'+'.join(sorted(token.scopes))}, {sessions}, {token.per_minute}/min, {state}"


def _positive_int(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MAX_NUMBER:
        raise ValueError
    return number
