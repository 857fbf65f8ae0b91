"""`python -m api token …`: tokens for those who ask the API."""

import argparse
from collections.abc import Mapping

from store.access import tokens
from store.postgres import connections
from store.postgres.errors import StoreError

SCOPES = ("read", "write", "admin")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] - argparse names no public type
    """Teach a command line `token make|list|revoke`."""
    verbs = commands.add_parser("token", help="make, list and revoke tokens").add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("make", help="make a token and print it, this once")
    make.add_argument("name")
    make.add_argument("--scope", action="append", choices=SCOPES, help="may be given more than once; default: read")
    make.add_argument("--session", action="append", help="may be given more than once; default: all sessions")
    make.add_argument("--per-minute", type=_positive, default=600, help="requests (default: %(default)s)")
    verbs.add_parser("list", help="print all tokens that were ever made")
    verbs.add_parser("revoke", help="refuse a token from now on").add_argument("name")


def run(chosen: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """What to print; raises SystemExit with a sentence."""
    try:
        with connections.open(connections.url(environ), "api token") as connection:
            return _run(chosen, connection)
    except (StoreError, connections.NoDatabaseError, tokens.NameTakenError) as error:
        raise SystemExit(f"api: {error}") from error


def _run(chosen: argparse.Namespace, connection: connections.Connection) -> str:
    if chosen.verb == "make":
        scopes, sessions = chosen.scope or ["read"], chosen.session
        return tokens.make(connection, chosen.name, scopes, sessions=sessions, per_minute=chosen.per_minute)
    if chosen.verb == "revoke":
        if not tokens.revoke(connection, chosen.name):
            raise SystemExit(f"api: there is no working token named {chosen.name!r}")
        return f"revoked {chosen.name}"
    return "\n".join(_line(token) for token in tokens.every(connection)) or "no token was made yet"


def _line(token: tokens.Token) -> str:
    state = f"revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else "works"
    sessions = "all sessions" if token.sessions is None else ", ".join(token.sessions)
    return f"{token.name}: {'+'.join(sorted(token.scopes))}, {sessions}, {token.per_minute}/min, {state}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
