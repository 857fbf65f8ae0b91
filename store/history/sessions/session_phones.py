"""Reads the phone numbers that sessions report as their own, and the accounts that they have joined.

A session can be linked to another number. Its earlier history belongs to the old number, so it can no longer join an
account by its number. If it has already joined one, it stays there, because its history cannot be divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from store.model import national_spellings
from store.model.session_phone import LATEST_PHONE
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class SessionPhones:
    """A session's phones, in their standard spelling."""

    session_number: int
    session_id: str
    primary_number: int | None
    """The session_number of the first session of its account, or None if it has not joined one."""
    account: str | None
    """The phone of its account."""
    latest: str | None
    """The phone that it reported last."""
    reported: frozenset[str]
    """All phones that it reported."""

    @property
    def is_relinked(self) -> bool:
        """True if it was linked to a number other than that of its account, or to several numbers."""
        if self.account is not None:
            return self.latest not in (None, self.account)
        return len(self.reported) > 1


def read(connection: Connection) -> list[SessionPhones]:
    """Return the phones of all sessions, in the order in which the sessions were first seen."""
    found = connection.execute(
        f"""
        SELECT s.session_number, s.session_id, a.primary_number, a.account,
            {LATEST_PHONE}, s.phones || w.phone
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
            in_standard_spelling(account),
            in_standard_spelling(latest),
            frozenset(phone for phone in map(in_standard_spelling, phones) if phone is not None),
        )
        for number, session_id, primary, account, latest, phones in rows
    ]


def in_standard_spelling(phone: str | None) -> str | None:
    """Return the phone in the standard spelling of its country."""
    return None if phone is None else national_spellings.standard(phone) or phone


def record(connection: Connection, reported: Iterable[tuple[str, str]]) -> None:
    """Record the phone that each session reported as its own. Unknown sessions are ignored."""
    rows = json_rows.encode({"session_id": session_id, "phone": phone} for session_id, phone in sorted(set(reported)))
    connection.execute(
        """
        UPDATE sessions AS s
        SET phones = (SELECT array_agg(DISTINCT p ORDER BY p) FROM unnest(s.phones || r.phones) AS p)
        FROM (
            SELECT r.session_id, array_agg(r.phone) AS phones
            FROM json_to_recordset(%(rows)s::json) AS r (session_id text, phone text)
            GROUP BY r.session_id
        ) AS r
        WHERE s.session_id = r.session_id AND NOT r.phones <@ s.phones
        """,
        {"rows": rows},
    )
