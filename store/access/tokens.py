"""API tokens: stored as hashes, and looked up with every request, so that a revoked one is refused at once."""

import hashlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, cast

from store.model import spelling
from store.postgres import errors
from store.postgres.connections import Connection

PREFIX = "sakt_"
BOOTSTRAP_NAME = "bootstrap"
"""The caller with API_TOKEN, which is not in the database."""
MAX_NAME_LENGTH = 128
_RESERVED_NAMES = (BOOTSTRAP_NAME, "python -m", "forgotten")
"""Beginnings of names, in any spelling."""
_SELECT: LiteralString = """
SELECT t.token_id, t.name, t.scopes, t.sessions, t.per_minute, t.created_at, t.revoked_at
FROM api_tokens AS t
"""


class TokenNameError(Exception):
    """The name cannot be a token's."""


class TokenNameTakenError(TokenNameError):
    """A token with this name exists and is not revoked."""


@dataclass(frozen=True, slots=True)
class Token:
    token_id: int
    name: str
    scopes: frozenset[str]
    session_ids: tuple[str, ...] | None
    per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None


def create(
    connection: Connection,
    name: str,
    scopes: Iterable[str],
    *,
    session_ids: Iterable[str] | None = None,
    per_minute: int | None = None,
) -> str:
    """Create a token and return its secret, which is not stored. Raises TokenNameError."""
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise TokenNameError(f"A name has 1 to {MAX_NAME_LENGTH} printable characters, and no space around them.")
    if spelling.normalize(name).startswith(_RESERVED_NAMES):
        raise TokenNameError(f"The audit log uses {name!r} for callers without a token: choose another name.")
    token = PREFIX + secrets.token_urlsafe(32)
    with errors.translated():
        inserted = connection.execute(
            """
            INSERT INTO api_tokens (name, hash, scopes, sessions, per_minute)
            VALUES (%(name)s, %(hash)s, %(scopes)s, %(sessions)s, %(per_minute)s)
            ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
            """,
            {
                "name": name,
                "hash": _hash(token),
                "scopes": sorted(set(scopes)),
                "sessions": None if session_ids is None else list(session_ids),
                "per_minute": per_minute,
            },
        )
    if not inserted.rowcount:
        raise TokenNameTakenError(f"A token named {name!r} exists: revoke it first, or choose another name.")
    return token


def find_by_secret(connection: Connection, secret: str) -> Token | None:
    """The token with this secret; None if there is none, or it was revoked."""
    return _find(connection, "t.hash = %s", _hash(secret))


def find_by_id(connection: Connection, token_id: int) -> Token | None:
    """The token with this id; None if there is none, or it was revoked."""
    return _find(connection, "t.token_id = %s", token_id)


def find_active(connection: Connection, token_ids: Collection[int]) -> set[int]:
    """Those of the tokens that exist and are not revoked."""
    if not token_ids:
        return set()
    cursor = connection.execute(
        "SELECT token_id FROM api_tokens WHERE token_id = ANY(%s) AND revoked_at IS NULL", [list(token_ids)]
    )
    return {cast("int", token_id) for (token_id,) in cursor}


def list_all(connection: Connection) -> list[Token]:
    """All tokens, revoked ones included, oldest first."""
    with errors.translated():
        return [_from_row(row) for row in connection.execute(f"{_SELECT} ORDER BY t.token_id")]


def revoke(connection: Connection, name: str) -> bool:
    """Revoke the token with this name; returns false if there was none."""
    with errors.translated():
        revoked = connection.execute(
            "UPDATE api_tokens SET revoked_at = now() WHERE name = %(name)s AND revoked_at IS NULL", {"name": name}
        )
        return revoked.rowcount > 0


def _find(connection: Connection, condition: LiteralString, value: object) -> Token | None:
    row = connection.execute(f"{_SELECT} WHERE {condition} AND t.revoked_at IS NULL", [value]).fetchone()
    return None if row is None else _from_row(row)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _from_row(row: tuple[object, ...]) -> Token:
    token_id, name, scopes, sessions, per_minute, created_at, revoked_at = row
    return Token(
        cast("int", token_id),
        cast("str", name),
        frozenset(cast("list[str]", scopes)),
        None if sessions is None else tuple(cast("list[str]", sessions)),
        cast("int | None", per_minute),
        cast("datetime", created_at),
        cast("datetime | None", revoked_at),
    )
