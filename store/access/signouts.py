"""Sign-ins that were ended: the only thing about them that is kept."""

from store.postgres import errors
from store.postgres.connections import Connection


def record(connection: Connection, nonce: str, cookie_lifetime: int) -> None:
    """Refuse a sign-in whose cookies would last for so long; forgets those that are over anyway."""
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
    found = connection.execute("SELECT FROM signouts WHERE nonce = %s", [nonce])
    return found.fetchone() is not None
