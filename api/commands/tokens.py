"""`python -m api token …`: tokens for those who ask the API."""

import argparse
from collections.abc import Mapping

from store.access import tokens
from store.postgres import connections
from store.postgres.errors import StoreError

SCOPES = ("read", "write", "admin")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] - argparse names no public type
    """Teach a command line `token make|list|revoke`."""
    verbs = subparsers.add_parser("token", help="make, list and revoke tokens").add_subparsers(
        dest="verb", required=True
    )
    make = verbs.add_parser("make", help="make a token and print it, this once")
    make.add_argument("name")
    make.add_argument("--scope", action="append", choices=SCOPES, help="may be given more than once; default: read")
    make.add_argument("--session", action="append", help="may be given more than once; default: all sessions")
    make.add_argument("--per-minute", type=_positive_int, default=600, help="requests (default: %(default)s)")
    verbs.add_parser("list", help="print all tokens that were ever made")
    verbs.add_parser("revoke", help="refuse a token from now on").add_argument("name")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """What to print; raises SystemExit with a sentence."""
    try:
        with connections.open(connections.url(environ), "api token") as connection:
            return _execute(arguments, connection)
    except (StoreError, connections.DatabaseUrlError, tokens.TokenNameTakenError) as error:
        raise SystemExit(f"api: {error}") from error


def _execute(arguments: argparse.Namespace, connection: connections.Connection) -> str:
    if arguments.verb == "make":
        scopes, sessions = arguments.scope or ["read"], arguments.session
        return tokens.create(connection, arguments.name, scopes, session_ids=sessions, per_minute=arguments.per_minute)
    if arguments.verb == "revoke":
        if not tokens.revoke(connection, arguments.name):
            raise SystemExit(f"api: there is no working token named {arguments.name!r}")
        return f"revoked {arguments.name}"
    return "\n".join(_format_token(token) for token in tokens.list_all(connection)) or "no token was made yet"


def _format_token(token: tokens.Token) -> str:
    state = f"revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else "works"
    sessions = "all sessions" if token.session_ids is None else ", ".join(token.session_ids)
    return f"{token.name}: {'+'.join(sorted(token.scopes))}, {sessions}, {token.per_minute}/min, {state}"


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
