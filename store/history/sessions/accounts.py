"""Reads accounts: sessions of several gateways that share one phone number and one history.

Each session keeps its own rows: a chat per address, and a message per chat. The rows show which session reported a
message; a session that missed it has no row. Shared data belongs to the *primary* session of the account, the one that
this database saw first. Message keys are shared, so that all copies and updates of a message have one key; evidence on
aliases is shared, too. The chats of the other sessions are merged into those of the primary one, as LIDs are merged
into phones. The rules of reading, of summaries and of hidden copies are therefore the same, and ids do not change.

If sessions turn out later to be one account, new events use its keys at once, and stored ones are merged in steps
(store/accounts/). A session never leaves its account, even if it is linked to another number, because its keys cannot
be divided (session_phones.py). While every number has one session, the table of accounts is empty and has no effect.
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
    """The sessions whose keys and chats from before they joined are not merged yet."""

    def primary_of(self, session_id: str) -> str:
        """Return the primary session of this session's account, or the session itself if it has no account."""
        return self.primary_by_session.get(session_id, session_id)

    def sessions_of(self, session_id: str) -> Collection[str]:
        """Return the sessions of this session's account, including itself, in the order of their first event."""
        return self.sessions_by_primary.get(self.primary_of(session_id), (session_id,))

    def with_primaries(self, session_ids: Collection[str]) -> set[str]:
        return {*session_ids, *(self.primary_of(session_id) for session_id in session_ids)}


NO_ACCOUNTS = Accounts({}, {}, ())


def sessions_of(connection: Connection, session_id: str) -> tuple[str, ...]:
    """Return the sessions that are in this session's account now, including itself."""
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
    """Return the accounts and keep them from changing until the caller's transaction ends."""
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
