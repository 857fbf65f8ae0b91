"""People who sign in elsewhere: each has a token without a secret, whose rights, limits and revocation are theirs."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import cast

from store.access import audit
from store.access.tokens import MAX_NAME_LENGTH, PERSON_PREFIX
from store.postgres import errors
from store.postgres.connections import Connection

_ROUTE = "/sign-in/callback"


def sign_in(connection: Connection, subject: str, name: str, scopes: Iterable[str], per_minute: int) -> int:
    """Record that a person signed in; returns the id of the person's token, which has these scopes from now on.

    `subject` never changes and never becomes somebody else's. So a person whose `name` has changed gets another token,
    and so does somebody who has a name that was another's.
    """
    name = _fit(PERSON_PREFIX + name)
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            UPDATE api_tokens
            SET revoked_at = now()
            WHERE revoked_at IS NULL AND (name = %(name)s) <> (subject IS NOT DISTINCT FROM %(subject)s)
            """,
            {"name": name, "subject": subject},
        )
        row = connection.execute(
            """
            INSERT INTO api_tokens (name, hash, scopes, subject, per_minute)
            VALUES (%(name)s, %(hash)s, %(scopes)s, %(subject)s, %(per_minute)s)
            ON CONFLICT (name) WHERE revoked_at IS NULL DO UPDATE
            SET scopes = excluded.scopes
            RETURNING token_id
            """,
            {
                "name": name,
                # Of no text that anybody knows.
                "hash": hashlib.sha256(secrets.token_bytes(32)).digest(),
                "scopes": sorted(set(scopes)),
                "subject": subject,
                "per_minute": per_minute,
            },
        ).fetchone()
        assert row is not None, "an upsert returns a row"
        token_id = cast("int", row[0])
        audit.record(connection, name, "GET", _ROUTE, 303, token_id=token_id)
    return token_id


def _fit(name: str) -> str:
    """A name that is as long as a token's may be, and still of one person only."""
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 1]}-{digest}"
