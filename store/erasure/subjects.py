"""Finds all known addresses of the person to erase."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import LiteralString, cast

from store.erasure import mentions
from store.erasure.key_store import SuppressionKey
from store.history.sessions import accounts
from store.model.keys import ChatAddress
from store.postgres.connections import Connection

IS_MESSAGE_OF_SUBJECT: LiteralString = """(
    m.receive_order <= %(received_until)s * 65536 + 65535 AND (
        m.chat_id = ANY(%(chats)s)
        OR m.sender = ANY(%(addresses)s) AND (%(sessions)s::text[] IS NULL OR m.session_id = ANY(%(sessions)s))
    )
)"""
"""True if the message `m` was received before the erasure, in a chat of the person or from the person in a group.

Requires the parameters of the subject, and `chats`, the ids of the person's chats.
"""


@dataclass(frozen=True, slots=True)
class ErasureSubject:
    session_ids: tuple[str, ...] | None
    """The sessions from which to erase the person (all sessions of an account), or None for all sessions."""
    addresses: tuple[str, ...]
    received_until: int
    """The time in ms until which received events are erased."""

    @property
    def sql_parameters(self) -> dict[str, object]:
        return {
            "sessions": None if self.session_ids is None else list(self.session_ids),
            "addresses": list(self.addresses),
            "received_until": self.received_until,
        }

    def suppressions(self, key: SuppressionKey) -> dict[bytes, int]:
        """Return the hash of each address and national spelling, and the time until which its events are suppressed."""
        nationals = filter(None, map(mentions.national_spelling, self.addresses))
        spellings = (*self.addresses, *nationals)
        return {
            key.hash_address(scope, spelling): self.received_until
            for scope in (self.session_ids or (None,))
            for spelling in spellings
        }

    def mention_pattern(self) -> re.Pattern[str] | None:
        """Return the pattern for `mentions.occurs`."""
        return mentions.compile_pattern(self.addresses)

    def chat_ids(self, connection: Connection) -> list[int]:
        """Return the ids of the person's own chats."""
        cursor = connection.execute(
            """
            SELECT c.chat_id
            FROM chats AS c
            WHERE c.address = ANY(%(addresses)s) AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
            """,
            self.sql_parameters,
        )
        return [cast("int", chat_id) for (chat_id,) in cursor]


def in_account(
    connection: Connection, session_id: str | None, addresses: Iterable[str], received_until: int
) -> ErasureSubject:
    """Return the person in all sessions of this session's account, or in all sessions if `session_id` is None."""
    session_ids = None if session_id is None else accounts.sessions_of(connection, session_id)
    return ErasureSubject(session_ids, tuple(addresses), received_until)


def with_aliases(connection: Connection, subject: ErasureSubject) -> ErasureSubject:
    """Return the person with all other addresses of the same chats (a phone and its LIDs) in any of the sessions."""
    known = set(subject.addresses)
    while True:
        cursor = connection.execute(
            """
            SELECT DISTINCT member.address
            FROM chats AS c
            JOIN chats AS member
                ON member.chat_id = c.canonical_chat_id OR member.merged_into = c.canonical_chat_id
            WHERE c.address = ANY(%(addresses)s) AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
            """,
            {**subject.sql_parameters, "addresses": sorted(known)},
        )
        new = {cast("str", address) for (address,) in cursor} - known
        if not new:
            return replace(subject, addresses=tuple(sorted(known)))
        known |= new


def sessions_owning(connection: Connection, subject: ErasureSubject) -> list[str]:
    """Return the sessions whose own number is, or was, one of the addresses."""
    cursor = connection.execute(
        """
        SELECT s.session_id
        FROM sessions AS s
        LEFT JOIN session_checks AS w USING (session_id)
        LEFT JOIN account_sessions AS a USING (session_number)
        WHERE (s.phones || ARRAY[s.phone, w.phone, a.account]) && %(addresses)s::text[]
            AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
        ORDER BY s.session_id
        """,
        subject.sql_parameters,
    )
    return [cast("str", owner) for (owner,) in cursor]


def chat_addresses(connection: Connection, chat_ids: Sequence[int]) -> set[ChatAddress]:
    """Return the addresses of these chats and of their canonical chats."""
    cursor = connection.execute(
        """
        SELECT c.session_id, c.address FROM chats AS c WHERE c.chat_id = ANY(%(chats)s)
        UNION
        SELECT canonical.session_id, canonical.address
        FROM chats AS c
        JOIN chats AS canonical ON canonical.chat_id = c.merged_into
        WHERE c.chat_id = ANY(%(chats)s)
        """,
        {"chats": list(chat_ids)},
    )
    return set(cast("Iterable[ChatAddress]", cursor))
