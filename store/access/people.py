"""Records people who sign in with OpenID Connect. Each has a token without a secret, which holds rights and limits."""

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
    """Record that a person signed in and return the id of the person's token, which gets these scopes.

    `subject` identifies a person for ever, whereas names can change or be given to somebody else. A person whose `name`
    has changed therefore gets a new token, and so does a person with a name that belonged to somebody else.
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
                # The hash of a secret that is not kept.
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
    """Return the name, shortened to the length limit of token names so that it still identifies one person."""
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 1]}-{digest}"
