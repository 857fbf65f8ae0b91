"""Reads the names and colours of sessions. An account has those of its first session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString, cast

from store.model.session_phone import LATEST_PHONE
from store.postgres.connections import Connection

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
    """The name given by a user."""
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
