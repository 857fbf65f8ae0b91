"""Changes the names and colours of sessions."""

from collections.abc import Mapping
from typing import cast

from store.feed import changes
from store.feed.changes import Change
from store.postgres.connections import Connection
from store.reading.session_names import NAMED

COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink")
MAX_NAME_LENGTH = 60


def change(connection: Connection, session_id: str, values: Mapping[str, str | None]) -> bool:
    """Set the name, the colour or both, for the session and the rest of its account.

    Return whether the session exists.
    """
    with connection.transaction():
        numbers = _lock_account(connection, session_id)
        if not numbers:
            return False
        connection.execute(
            f"""
            INSERT INTO session_names (session_number, name, colour)
            SELECT coalesce(a.primary_number, s.session_number),
                CASE WHEN %(sets_name)s THEN %(name)s ELSE named.name END,
                CASE WHEN %(sets_colour)s THEN %(colour)s ELSE named.colour END
            FROM sessions AS s
            LEFT JOIN account_sessions AS a USING (session_number)
            LEFT JOIN LATERAL ({NAMED}) AS named ON true
            WHERE s.session_id = %(session_id)s
            ON CONFLICT (session_number) DO UPDATE
            SET name = excluded.name, colour = excluded.colour, changed_at = now()
            """,
            {
                "session_id": session_id,
                "sets_name": "name" in values,
                "name": values.get("name"),
                "sets_colour": "colour" in values,
                "colour": values.get("colour"),
            },
        )
        cursor = connection.execute(
            "UPDATE sessions SET rev = rev + 1 WHERE session_number = ANY(%s) RETURNING session_id", [numbers]
        )
        changed = sorted(cast("str", row[0]) for row in cursor)
        changes.publish(connection, [Change("session", each) for each in changed])
    return True


def _lock_account(connection: Connection, session_id: str) -> list[int]:
    """Lock the sessions of the account in the lock order of all writers and return their numbers."""
    cursor = connection.execute(
        """
        SELECT s.session_number
        FROM sessions AS s
        LEFT JOIN account_sessions AS a USING (session_number)
        WHERE s.session_id = %(session_id)s OR a.primary_number = (
            SELECT own.primary_number
            FROM account_sessions AS own
            JOIN sessions AS named USING (session_number)
            WHERE named.session_id = %(session_id)s
        )
        ORDER BY s.session_id
        FOR UPDATE OF s
        """,
        {"session_id": session_id},
    )
    return [cast("int", row[0]) for row in cursor]
