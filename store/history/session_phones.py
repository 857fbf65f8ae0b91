"""The numbers that sessions report as their own, with the accounts that they have joined.

A session can be linked to another number. What it told before then is the old number's, so it does not join an account
by its number any more; if it has joined one, it stays there, since its history cannot be divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from store.model import national_spellings
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class SessionPhones:
    """Phones are in their standard spelling."""

    session_number: int
    session_id: str
    primary_number: int | None
    """The first session of its account; None: it has not joined one."""
    account: str | None
    """The phone of its account."""
    latest: str | None
    """The phone that it reported last."""
    reported: frozenset[str]
    """All phones that it reported."""

    @property
    def is_relinked(self) -> bool:
        """Whether it was linked to another number: than its account's, or than before."""
        if self.account is not None:
            return self.latest not in (None, self.account)
        return len(self.reported) > 1


def read(connection: Connection) -> list[SessionPhones]:
    """All sessions, in the order in which they were first seen."""
    found = connection.execute(
        """
        SELECT s.session_number, s.session_id, a.primary_number, a.account,
            CASE WHEN w.phone_at > coalesce(s.phone_at, 0) THEN w.phone ELSE s.phone END, s.phones || w.phone
        FROM sessions AS s
        LEFT JOIN session_checks AS w USING (session_id)
        LEFT JOIN account_sessions AS a USING (session_number)
        ORDER BY s.session_number
        """
    )
    rows = cast("Iterable[tuple[int, str, int | None, str | None, str | None, list[str | None]]]", found)
    return [
        SessionPhones(
            number,
            session_id,
            primary,
            standard(account),
            standard(latest),
            frozenset(phone for phone in map(standard, phones) if phone is not None),
        )
        for number, session_id, primary, account, latest, phones in rows
    ]


def standard(phone: str | None) -> str | None:
    """The phone in its country's standard spelling."""
    return None if phone is None else national_spellings.standard(phone) or phone


def record(connection: Connection, reported: Iterable[tuple[str, str]]) -> None:
    """Record that each session, if it is known, reported this phone as its own."""
    rows = json_rows.encode({"session_id": session_id, "phone": phone} for session_id, phone in sorted(set(reported)))
    connection.execute(
        """
        UPDATE sessions AS s
        SET phones = (SELECT array_agg(DISTINCT p ORDER BY p) FROM unnest(s.phones || r.phones) AS p)
        FROM (
            SELECT r.session_id, array_agg(r.phone) AS phones
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, phone text)
            GROUP BY r.session_id
        ) AS r
        WHERE s.session_id = r.session_id AND NOT r.phones <@ s.phones
        """,
        {"rows": rows},
    )
