"""Somebody who is to be forgotten: all addresses that are known to be theirs, and how to recognise them in a body."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from store.history import chats
from store.postgres.connections import Connection

_DIGIT_SEPARATORS = rb"[ ().\-/\xc2\xa0\xe2\x80\x90-\x95\xaf]*"
"""What may stand between two digits of a number: spaces, hyphens and the like, in UTF-8."""
_NOT_FOLLOWED_BY = {
    # A phone's or a LID's digits are nobody else's, unless they are said to be a group's or the like.
    True: rb"(?![0-9]|@(?:g\.us|newsletter|broadcast))",
    False: rb"(?![0-9]|@(?:lid|s\.whatsapp\.net|c\.us))",
}
_NUMBER_PATTERN = re.compile(r"[0-9]{5,32}(?:-[0-9]{1,32})?")


@dataclass(frozen=True, slots=True)
class ErasureSubject:
    session_id: str | None
    """In which session; None: in all."""
    addresses: tuple[str, ...]
    received_until: int
    """What was received up to here, in ms, is to go."""

    @property
    def sql_parameters(self) -> dict[str, object]:
        """For statements."""
        return {"session": self.session_id, "addresses": list(self.addresses), "upto": self.received_until}

    @property
    def user_parts(self) -> list[str]:
        """How the addresses stand in bodies: without their servers, whose spelling varies."""
        users = (address.partition("@")[0] for address in self.addresses)
        return sorted({user for user in users if _NUMBER_PATTERN.fullmatch(user)})

    def body_pattern(self) -> re.Pattern[bytes]:
        """Finds any of the numbers in a body; matches nothing if there are none."""
        spelled = [
            _DIGIT_SEPARATORS.join(re.escape(digit.encode()) for digit in number)
            + _NOT_FOLLOWED_BY[server in ("", "lid")]
            for number, _, server in (address.partition("@") for address in self.addresses)
            if _NUMBER_PATTERN.fullmatch(number)
        ]
        if not spelled:
            return re.compile(rb"(?!)")
        return re.compile(rb"(?<![0-9])(?:00)?(?:" + b"|".join(spelled) + rb")")

    def chat_ids(self, connection: Connection) -> list[int]:
        """The rows of their own chats."""
        found = connection.execute(
            """
            SELECT c.chat_id
            FROM chats AS c
            WHERE c.address = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR c.session_id = %(session)s)
            """,
            self.sql_parameters,
        )
        return [cast("int", chat_id) for (chat_id,) in found]


def find_aliases(connection: Connection, session_id: str | None, addresses: Collection[str]) -> tuple[str, ...]:
    """These addresses, and all that are shown in the same chats: a phone and its LIDs, in any of the sessions."""
    known = set(addresses)
    while True:
        found = connection.execute(
            """
            SELECT DISTINCT o.address
            FROM chats AS c
            JOIN chats AS h ON h.chat_id = c.canonical_chat_id
            JOIN chats AS o ON o.chat_id = h.chat_id OR o.merged_into = h.chat_id
            WHERE c.address = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR c.session_id = %(session)s)
            """,
            {"addresses": sorted(known), "session": session_id},
        )
        more = {cast("str", address) for (address,) in found} - known
        if not more:
            return tuple(sorted(known))
        known |= more


def sessions_owning(connection: Connection, session_id: str | None, addresses: Collection[str]) -> list[str]:
    """The sessions whose own number is among these addresses: not somebody who writes to us, but we."""
    found = connection.execute(
        """
        SELECT s.session_id
        FROM sessions AS s
        WHERE s.phone = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
        ORDER BY s.session_id
        """,
        {"addresses": list(addresses), "session": session_id},
    )
    return [cast("str", each) for (each,) in found]


def chat_addresses(connection: Connection, chat_ids: Sequence[int]) -> set[chats.ChatAddress]:
    """Where these chats are, and the heads that they are shown in."""
    found = connection.execute(
        """
        SELECT c.session_id, c.address FROM chats AS c WHERE c.chat_id = ANY(%(chats)s)
        UNION
        SELECT h.session_id, h.address
        FROM chats AS c
        JOIN chats AS h ON h.chat_id = c.merged_into
        WHERE c.chat_id = ANY(%(chats)s)
        """,
        {"chats": list(chat_ids)},
    )
    return set(cast("Iterable[chats.ChatAddress]", found))
