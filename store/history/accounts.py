"""Accounts: sessions of several gateways for one phone number, whose histories are one.

Each session keeps its own rows: a chat per address and a message per chat, as it told them. So which session told of
a message is known, and a session that misses one has no row. What an account shares belongs to its *primary* session,
the one that this database saw first: message keys, so that copies and updates of a message meet whichever session
tells them; and the evidence on aliases. The chats of the other sessions are merged into those of the primary one, as
LIDs are merged into phones, so that reading, summaries and hidden copies work by the same rules, and ids stay as they
are. Sessions that turn out to be one account later are joined at once for what comes, and merged in steps for what is
there (store/accounts/). A session never leaves its account, not even if it is linked to another number: its keys would
have to be divided without knowing how (session_phones.py). While every number has one session, the table of accounts is
empty and nothing else differs.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that have several sessions."""

    primary_by_session: Mapping[str, str]
    sessions_by_primary: Mapping[str, Collection[str]]
    unmerged: Collection[str]
    """The sessions that have keys and chats of their own, from before they joined."""

    def primary_of(self, session_id: str) -> str:
        """The primary session of this session's account; the session itself if it has no account."""
        return self.primary_by_session.get(session_id, session_id)

    def sessions_of(self, session_id: str) -> Collection[str]:
        """The sessions of this session's account, itself among them, in the order in which they were first seen."""
        return self.sessions_by_primary.get(self.primary_of(session_id), (session_id,))

    def with_primaries(self, session_ids: Collection[str]) -> set[str]:
        return {*session_ids, *(self.primary_of(session_id) for session_id in session_ids)}


NO_ACCOUNTS = Accounts({}, {}, ())


def sessions_of(connection: Connection, session_id: str) -> tuple[str, ...]:
    """The sessions of this session's account at this moment, itself among them."""
    found = connection.execute(
        """
        SELECT s.session_id
        FROM account_sessions AS a
        JOIN sessions AS s USING (session_number)
        WHERE a.primary_number = (
            SELECT b.primary_number
            FROM account_sessions AS b
            JOIN sessions AS given USING (session_number)
            WHERE given.session_id = %s
        )
        ORDER BY s.session_number
        """,
        [session_id],
    )
    return tuple(cast("str", each) for (each,) in found) or (session_id,)


def lock(connection: Connection) -> Accounts:
    """The accounts, which cannot change before the caller's transaction ends."""
    found = connection.execute("SELECT session_id, primary_id, is_merged FROM lock_accounts()").fetchall()
    if not found:
        return NO_ACCOUNTS
    rows = cast("list[tuple[str, str, bool]]", found)
    sessions: defaultdict[str, list[str]] = defaultdict(list)
    for session_id, primary_id, _ in rows:
        sessions[primary_id].append(session_id)
    return Accounts(
        {session_id: primary_id for session_id, primary_id, _ in rows},
        sessions,
        [session_id for session_id, _, is_merged in rows if not is_merged],
    )
