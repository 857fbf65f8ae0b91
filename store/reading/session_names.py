"""Reads and changes the names and colours of sessions. An account has those of its first session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString, cast

from store.feed import changes
from store.feed.changes import Change
from store.model.session_phone import LATEST_PHONE
from store.postgres.connections import Connection

COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink")
MAX_NAME_LENGTH = 60

NAMED: LiteralString = """
    SELECT n.name, n.colour
    FROM session_names AS n
    LEFT JOIN account_sessions AS b USING (session_number)
    WHERE n.session_number = s.session_number OR b.primary_number = a.primary_number
    ORDER BY n.session_number
    LIMIT 1
"""
"""The name and colour of a session, or of the first session of its account that has one. Requires the aliases `s`, a
row of sessions, and `a`, its row of account_sessions or nulls.
"""


@dataclass(frozen=True, slots=True)
class SessionName:
    """The names by which people know a session."""

    number: int
    """The place in the order in which sessions were first seen."""
    given: str | None
    """By a user."""
    phone: str | None
    gateway_name: str | None


def read(connection: Connection) -> Mapping[str, SessionName]:
    """Return the names of all sessions, by their ids."""
    cursor = connection.execute(
        f"""
        SELECT s.session_id, s.session_number, named.name,
            coalesce({LATEST_PHONE}, a.account), w.name
        FROM sessions AS s
        LEFT JOIN account_sessions AS a USING (session_number)
        LEFT JOIN LATERAL ({NAMED}) AS named ON true
        LEFT JOIN session_checks AS w USING (session_id)
        """
    )
    rows = cast("list[tuple[str, int, str | None, str | None, str | None]]", cursor.fetchall())
    return {row[0]: SessionName(*row[1:]) for row in rows}


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
