"""Records ended sign-ins, so that their cookies are refused before they expire."""

from collections.abc import Collection
from typing import cast

from store.postgres import errors
from store.postgres.connections import Connection


def record(connection: Connection, nonce: str, cookie_lifetime: int) -> None:
    """End a sign-in whose cookies last `cookie_lifetime` seconds. Also delete ended sign-ins that have expired."""
    with errors.translated(), connection.transaction():
        connection.execute("DELETE FROM signouts WHERE expires_at < now()")
        connection.execute(
            """
            INSERT INTO signouts (nonce, expires_at)
            VALUES (%(nonce)s, now() + make_interval(secs => %(seconds)s))
            ON CONFLICT (nonce) DO UPDATE SET expires_at = excluded.expires_at
            """,
            {"nonce": nonce, "seconds": cookie_lifetime},
        )


def is_signed_out(connection: Connection, nonce: str) -> bool:
    return connection.execute("SELECT FROM signouts WHERE nonce = %s", [nonce]).fetchone() is not None


def find_ended(connection: Connection, nonces: Collection[str]) -> set[str]:
    """Return those of these sign-ins that were ended."""
    if not nonces:
        return set()
    cursor = connection.execute("SELECT nonce FROM signouts WHERE nonce = ANY(%s)", [list(nonces)])
    return {cast("str", nonce) for (nonce,) in cursor}
