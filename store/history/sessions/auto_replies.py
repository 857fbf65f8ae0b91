"""Records whether a gateway replies automatically. These replies are not reported, so the history lacks them."""

from store.postgres import errors
from store.postgres.connections import Connection


def claim(connection: Connection, session_id: str, seconds: float) -> bool:
    """Return True if the caller should query the gateway now. After that, every call returns False for `seconds`."""
    with errors.translated():
        claimed = connection.execute(
            """
            UPDATE session_checks
            SET auto_reply_asked_at = now()
            WHERE session_id = %(session_id)s
                AND (auto_reply_asked_at IS NULL OR auto_reply_asked_at <= now() - make_interval(secs => %(seconds)s))
            """,
            {"session_id": session_id, "seconds": seconds},
        )
    return claimed.rowcount == 1


def record(connection: Connection, session_id: str, *, is_enabled: bool, reported_at: int) -> None:
    """Record what the gateway reported. `reported_at` is in ms."""
    with errors.translated():
        connection.execute(
            """
            UPDATE session_checks
            SET auto_reply = %(is_enabled)s, auto_reply_at = %(reported_at)s
            WHERE session_id = %(session_id)s
            """,
            {"session_id": session_id, "is_enabled": is_enabled, "reported_at": reported_at},
        )
