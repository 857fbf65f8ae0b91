"""Stores API tokens as hashes. They are looked up for every request, so that a revoked one is refused at once."""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString, cast

from store.model import spelling
from store.postgres import errors
from store.postgres.connections import Connection

PREFIX = "sakt_"
SCOPES: Final = ("read", "write", "admin")
BOOTSTRAP_NAME = "bootstrap"
"""The name of the caller with API_TOKEN, which is not in the database."""
MAX_NAME_LENGTH = 128
PERSON_PREFIX = "oidc:"
"""The prefix in the names of people who sign in with OpenID Connect (store/access/people.py)."""
_RESERVED_PREFIXES = (BOOTSTRAP_NAME, PERSON_PREFIX, "python -m", "forgotten")
"""Prefixes that names of tokens cannot have, in upper or lower case."""
_SELECT: LiteralString = """
SELECT t.token_id, t.name, t.scopes, t.sessions, t.per_minute, t.created_at, t.created_by, t.expires_at,
    t.last_used_at, t.revoked_at, t.subject IS NOT NULL
FROM api_tokens AS t
"""
_IS_ACTIVE: LiteralString = "t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())"


class TokenNameError(Exception):
    """The name is not valid for a token."""


class TokenNameTakenError(TokenNameError):
    """A token with this name exists and is not revoked, though it may have expired."""


@dataclass(frozen=True, slots=True)
class Token:
    token_id: int
    name: str
    scopes: frozenset[str]
    session_ids: tuple[str, ...] | None
    per_minute: int | None
    created_at: datetime
    created_by: str | None
    """None for the command line."""
    expires_at: datetime | None
    last_used_at: datetime | None
    """Up to one minute late."""
    revoked_at: datetime | None
    is_person: bool
    """True if the token has no secret and belongs to a person who signs in with OpenID Connect
    (store/access/people.py).
    """


def create(  # noqa: PLR0913 - the columns
    connection: Connection,
    name: str,
    scopes: Iterable[str],
    *,
    session_ids: Iterable[str] | None = None,
    per_minute: int | None = None,
    expires_at: datetime | None = None,
    created_by: str | None = None,
) -> str:
    """Create a token and return its secret, which is not stored. Raises TokenNameError."""
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise TokenNameError(f"A name has 1 to {MAX_NAME_LENGTH} printable characters, and no space around them.")
    if spelling.normalize(name).startswith(_RESERVED_PREFIXES):
        raise TokenNameError(f"The audit log uses {name!r} for callers without a token: choose another name.")
    token = PREFIX + secrets.token_urlsafe(32)
    with errors.translated():
        inserted = connection.execute(
            """
            INSERT INTO api_tokens (name, hash, scopes, sessions, per_minute, expires_at, created_by)
            VALUES (
                %(name)s, %(hash)s, %(scopes)s, %(sessions)s, %(per_minute)s, %(expires_at)s, %(created_by)s
            )
            ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
            """,
            {
                "name": name,
                "hash": _hash(token),
                "scopes": sorted(set(scopes)),
                "sessions": None if session_ids is None else list(session_ids),
                "per_minute": per_minute,
                "expires_at": expires_at,
                "created_by": created_by,
            },
        )
    if not inserted.rowcount:
        raise TokenNameTakenError(f"A token named {name!r} exists: revoke it first, or choose another name.")
    return token


def find_by_secret(connection: Connection, secret: str) -> Token | None:
    """Return the token with this secret.

    Returns None if there is none, or if it is revoked or has expired.
    """
    return _find(connection, "t.hash = %s", _hash(secret))


def find_by_id(connection: Connection, token_id: int) -> Token | None:
    """Return the token with this id.

    Returns None if there is none, or if it is revoked or has expired.
    """
    return _find(connection, "t.token_id = %s", token_id)


def find_active(connection: Connection, token_ids: Collection[int]) -> list[Token]:
    """Return the tokens with these ids, without those that are revoked or have expired."""
    if not token_ids:
        return []
    rows = connection.execute(f"{_SELECT} WHERE t.token_id = ANY(%s) AND {_IS_ACTIVE}", [list(token_ids)])
    return [_from_row(row) for row in rows]


def list_all(connection: Connection) -> list[Token]:
    """Return all tokens, oldest first, including revoked and expired ones."""
    with errors.translated():
        return [_from_row(row) for row in connection.execute(f"{_SELECT} ORDER BY t.token_id")]


def list_page(
    connection: Connection, before: int | None, limit: int, session_names: Collection[str] | None
) -> list[Token]:
    """Return a page of tokens with ids below `before`, newest first.

    If `session_names` is not None, only tokens that are limited to these sessions and phones are returned.
    """
    rows = connection.execute(
        f"""
        {_SELECT}
        WHERE (%(before)s::bigint IS NULL OR t.token_id < %(before)s)
            AND (%(names)s::text[] IS NULL OR t.sessions <@ %(names)s::text[])
        ORDER BY t.token_id DESC
        LIMIT %(limit)s
        """,
        {"before": before, "limit": limit, "names": None if session_names is None else list(session_names)},
    )
    return [_from_row(row) for row in rows]


def get(connection: Connection, token_id: int) -> Token | None:
    """Return the token with this id, even if it is revoked or has expired, or None if there is none."""
    row = connection.execute(f"{_SELECT} WHERE t.token_id = %s", [token_id]).fetchone()
    return None if row is None else _from_row(row)


def set_expiry(connection: Connection, token_id: int, expires_at: datetime | None) -> bool:
    """Change when an active token expires (None for never). Return False if it is not active."""
    with errors.translated():
        changed = connection.execute(
            f"UPDATE api_tokens AS t SET expires_at = %s WHERE t.token_id = %s AND {_IS_ACTIVE}",
            [expires_at, token_id],
        )
        return changed.rowcount > 0


def revoke_by_id(connection: Connection, token_id: int) -> bool:
    """Revoke the token with this id. Return False if it was already revoked or does not exist."""
    with errors.translated():
        revoked = connection.execute(
            "UPDATE api_tokens SET revoked_at = now() WHERE token_id = %s AND revoked_at IS NULL", [token_id]
        )
        return revoked.rowcount > 0


def record_use(connection: Connection, uses: Mapping[int, datetime]) -> None:
    """Record the time of the last request with each token, given by id."""
    with errors.translated():
        connection.execute(
            """
            UPDATE api_tokens AS t
            SET last_used_at = u.used_at
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (token_id, used_at)
            WHERE t.token_id = u.token_id AND (t.last_used_at IS NULL OR t.last_used_at < u.used_at)
            """,
            [list(uses), list(uses.values())],
        )


def revoke(connection: Connection, name: str) -> bool:
    """Revoke the token with this name. Return False if there is none."""
    with errors.translated():
        revoked = connection.execute(
            "UPDATE api_tokens SET revoked_at = now() WHERE name = %(name)s AND revoked_at IS NULL", {"name": name}
        )
        return revoked.rowcount > 0


def _find(connection: Connection, condition: LiteralString, value: object) -> Token | None:
    row = connection.execute(f"{_SELECT} WHERE {condition} AND {_IS_ACTIVE}", [value]).fetchone()
    return None if row is None else _from_row(row)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _from_row(row: tuple[object, ...]) -> Token:
    token_id, name, scopes, sessions, *rest = row
    session_ids = None if sessions is None else tuple(cast("list[str]", sessions))
    # The columns are the fields of the class.
    return Token(cast("int", token_id), cast("str", name), frozenset(cast("list[str]", scopes)), session_ids, *rest)  # pyright: ignore[reportArgumentType]
