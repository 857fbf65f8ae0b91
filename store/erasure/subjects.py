"""The person to erase: all known addresses, and the pattern that finds them in a body."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from store.erasure.key_store import SuppressionKey
from store.history import chats
from store.postgres.connections import Connection

_DIGIT_SEPARATORS = rb"[ ().\-/\xc2\xa0\xe2\x80\x90-\x95\xaf]*"
"""Bytes between two digits of a number: spaces, hyphens and the like, in UTF-8."""
_NOT_FOLLOWED_BY = {
    # True: the digits of a phone or a LID, unless a server says that they are a group's or the like.
    True: rb"(?![0-9]|@(?:g\.us|newsletter|broadcast))",
    False: rb"(?![0-9]|@(?:lid|s\.whatsapp\.net|c\.us))",
}
_NUMBER_PATTERN = re.compile(r"[0-9]{5,32}(?:-[0-9]{1,32})?")


@dataclass(frozen=True, slots=True)
class ErasureSubject:
    session_id: str | None
    """The session to erase the person from; None: all sessions."""
    addresses: tuple[str, ...]
    received_until: int
    """Events that were received until then, in ms, are erased."""

    @property
    def sql_parameters(self) -> dict[str, object]:
        return {"session": self.session_id, "addresses": list(self.addresses), "received_until": self.received_until}

    def suppressions(self, key: SuppressionKey) -> dict[bytes, int]:
        """The hash of each address, with the time until which its events are suppressed."""
        return {key.hash_address(self.session_id, address): self.received_until for address in self.addresses}

    @property
    def user_parts(self) -> list[str]:
        """The numbers of the addresses, without servers, whose spelling varies."""
        users = (address.partition("@")[0] for address in self.addresses)
        return sorted({user for user in users if _NUMBER_PATTERN.fullmatch(user)})

    def body_pattern(self) -> re.Pattern[bytes]:
        """A pattern that finds any of the numbers in a body; it matches nothing if there are none."""
        alternatives = [
            _DIGIT_SEPARATORS.join(re.escape(digit.encode()) for digit in number)
            + _NOT_FOLLOWED_BY[server in ("", "lid")]
            for number, _, server in (address.partition("@") for address in self.addresses)
            if _NUMBER_PATTERN.fullmatch(number)
        ]
        if not alternatives:
            return re.compile(rb"(?!)")
        return re.compile(rb"(?<![0-9])(?:00)?(?:" + b"|".join(alternatives) + rb")")

    def chat_ids(self, connection: Connection) -> list[int]:
        """The rows of the person's own chats."""
        cursor = connection.execute(
            """
            SELECT c.chat_id
            FROM chats AS c
            WHERE c.address = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR c.session_id = %(session)s)
            """,
            self.sql_parameters,
        )
        return [cast("int", chat_id) for (chat_id,) in cursor]


def find_aliases(connection: Connection, session_id: str | None, addresses: Collection[str]) -> tuple[str, ...]:
    """Return these addresses and all others of the same chats: a phone and its LIDs, in any of the sessions."""
    known = set(addresses)
    while True:
        cursor = connection.execute(
            """
            SELECT DISTINCT member.address
            FROM chats AS c
            JOIN chats AS member
                ON member.chat_id = c.canonical_chat_id OR member.merged_into = c.canonical_chat_id
            WHERE c.address = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR c.session_id = %(session)s)
            """,
            {"addresses": sorted(known), "session": session_id},
        )
        new = {cast("str", address) for (address,) in cursor} - known
        if not new:
            return tuple(sorted(known))
        known |= new


def sessions_owning(connection: Connection, session_id: str | None, addresses: Collection[str]) -> list[str]:
    """The sessions whose own number is among these addresses."""
    cursor = connection.execute(
        """
        SELECT s.session_id
        FROM sessions AS s
        WHERE s.phone = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
        ORDER BY s.session_id
        """,
        {"addresses": list(addresses), "session": session_id},
    )
    return [cast("str", owner) for (owner,) in cursor]


def chat_addresses(connection: Connection, chat_ids: Sequence[int]) -> set[chats.ChatAddress]:
    """The addresses of these chats and of their canonical chats."""
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
    return set(cast("Iterable[chats.ChatAddress]", cursor))
