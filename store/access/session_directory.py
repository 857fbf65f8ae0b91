"""Resolves the name of a session, or the phone of an account, to the sessions that a token or a request means."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from store.model.session_phone import LATEST_PHONE
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class SessionDirectory:
    by_session: Mapping[str, tuple[str, ...]]
    """All sessions of the account, for each session of an account that has several."""
    by_phone: Mapping[str, tuple[str, ...]]
    """The sessions of each phone."""

    def sessions_of(self, name: str) -> tuple[str, ...]:
        """Return all sessions of the account that has this phone or this session.

        A session without an account is returned alone.
        """
        return self.by_phone.get(name) or self.by_session.get(name) or (name,)

    def expand(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(session_id for name in names for session_id in self.sessions_of(name)))

    def names_within(self, sessions: Collection[str]) -> frozenset[str]:
        """Return these sessions, and the phones whose sessions are all among them."""
        phones = (phone for phone, of_phone in self.by_phone.items() if set(of_phone) <= set(sessions))
        return frozenset(sessions).union(phones)


EMPTY = SessionDirectory({}, {})


def read(connection: Connection) -> SessionDirectory:
    found = connection.execute(
        f"""
        SELECT s.session_id, a.primary_number,
            coalesce(a.account, {LATEST_PHONE})
        FROM sessions AS s
        LEFT JOIN session_checks AS w USING (session_id)
        LEFT JOIN account_sessions AS a USING (session_number)
        ORDER BY s.session_number
        """
    )
    by_primary: defaultdict[int, list[str]] = defaultdict(list)
    by_phone: defaultdict[str, list[str]] = defaultdict(list)
    for session_id, primary, phone in cast("Iterable[tuple[str, int | None, str | None]]", found):
        if primary is not None:
            by_primary[primary].append(session_id)
        if phone is not None:
            by_phone[phone].append(session_id)
    return SessionDirectory(
        {session_id: tuple(sessions) for sessions in by_primary.values() for session_id in sessions},
        {phone: tuple(sessions) for phone, sessions in by_phone.items()},
    )
