"""Creates and redeems tickets. A ticket opens one stream, within seconds of its creation."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection

LIFETIME_SECONDS = 30


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """The caller that may open the stream."""

    token_id: int | None
    """None for the bootstrap token."""
    sign_in_nonce: str | None
    signed_in_until: int | None


def create(connection: Connection, holder: TicketHolder) -> tuple[str, datetime]:
    """Return a new ticket and when it expires.

    Only its hash is stored. Tickets that have expired are deleted.
    """
    ticket = secrets.token_urlsafe(32)
    with errors.translated(), connection.transaction():
        connection.execute("DELETE FROM stream_tickets WHERE expires_at < now()")
        row = connection.execute(
            """
            INSERT INTO stream_tickets (hash, token_id, sign_in_nonce, signed_in_until, expires_at)
            VALUES (%(hash)s, %(token_id)s, %(nonce)s, %(until)s, now() + make_interval(secs => %(seconds)s))
            RETURNING expires_at
            """,
            {
                "hash": _hash(ticket),
                "token_id": holder.token_id,
                "nonce": holder.sign_in_nonce,
                "until": holder.signed_in_until,
                "seconds": LIFETIME_SECONDS,
            },
        ).fetchone()
    assert row is not None, "an insert returns its row"
    return ticket, cast("datetime", row[0])


def redeem(connection: Connection, ticket: str) -> TicketHolder | None:
    """Delete a ticket and return its holder, or None if the ticket does not exist, was used or has expired."""
    with errors.translated():
        row = connection.execute(
            """
            DELETE FROM stream_tickets
            WHERE hash = %s AND expires_at > now()
            RETURNING token_id, sign_in_nonce, signed_in_until
            """,
            [_hash(ticket)],
        ).fetchone()
    return None if row is None else TicketHolder(*cast("tuple[int | None, str | None, int | None]", row))


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).digest()
