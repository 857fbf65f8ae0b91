"""Converts an event's facts into rows of message_updates, one per author."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from store.history.events.parsed_events import ParsedEvent
from store.model.facts import Ack, Delete, Direction, Edit, Reaction, Status

UpdateKind: TypeAlias = Literal["ack", "edit", "delete", "reaction"]
_STATUSES = get_args(Status)
"""All statuses, in the order of `status_rank`."""
_AUTHOR_BYTES: Final = 8
_KINDS: Mapping[type, UpdateKind] = {Ack: "ack", Edit: "edit", Delete: "delete", Reaction: "reaction"}


class MessageUpdate(NamedTuple):
    key_id: int
    kind: UpdateKind
    digest: bytes
    """The event's digest, followed by the author's if the event contains an earlier update by another author."""
    chat_id: int | None
    direction: Direction | None
    sender: str | None
    occurred_at: int
    status: Status | None
    text: str | None


ReceivedUpdate: TypeAlias = tuple[int, str | None, MessageUpdate]
"""(receipt of a copy of the event, address of the chat, update)"""
_Author: TypeAlias = tuple[str | None, Direction | None, str | None]
"""(address of the chat, direction, sender)"""
_UpdateOfAuthor: TypeAlias = tuple[int, UpdateKind, bytes, _Author]
"""(key_id, kind, digest, author)"""


def from_fact(
    event: ParsedEvent, fact: Ack | Edit | Delete | Reaction, key_id: int, chat_id: int | None
) -> MessageUpdate:
    is_ack = isinstance(fact, Ack)
    return MessageUpdate(
        key_id=key_id,
        kind=_KINDS[type(fact)],
        digest=event.digest,
        chat_id=chat_id,
        direction=None if is_ack else fact.direction,
        sender=None if is_ack else fact.sender,
        occurred_at=event.effective_time(fact.time),
        status=fact.status if is_ack else None,
        text=_text(fact),
    )


def _text(fact: Ack | Edit | Delete | Reaction) -> str | None:
    """Return the new text, the emoji, the reason of a failure, or the reference in any other ack."""
    match fact:
        case Ack():
            return fact.reason if fact.status == "failed" else fact.reference
        case Edit():
            return fact.text
        case Reaction():
            return fact.emoji
        case Delete():
            return None


def one_per_author(updates: Iterable[ReceivedUpdate]) -> Collection[MessageUpdate]:
    """Return one update per event, message, kind and author.

    The updates are given in the order of receipt of their events' copies. One body may contain several
    statuses or edits of a message. The greatest status is kept, or the newest edit.
    """
    of_copies: dict[tuple[_UpdateOfAuthor, int], MessageUpdate] = {}
    for received_at, address, update in updates:
        author = (address, update.direction, update.sender)
        of_author: _UpdateOfAuthor = (update.key_id, update.kind, update.digest, author)
        copy = (of_author, received_at)
        if copy not in of_copies or _precedence(of_copies[copy]) <= _precedence(update):
            of_copies[copy] = update
    earliest: dict[_UpdateOfAuthor, MessageUpdate] = {}
    for (of_author, _), update in of_copies.items():
        earliest.setdefault(of_author, update)
    first: dict[tuple[int, UpdateKind, bytes], _Author] = {}
    for key_id, kind, digest, author in earliest:
        first.setdefault((key_id, kind, digest), author)
    if len(first) == len(earliest):
        return earliest.values()
    return [
        update if first[key_id, kind, digest] == author else update._replace(digest=digest + _author_digest(author))
        for (key_id, kind, digest, author), update in earliest.items()
    ]


def _author_digest(author: _Author) -> bytes:
    return hashlib.sha256("\0".join(map(str, author)).encode()).digest()[:_AUTHOR_BYTES]


def _precedence(update: MessageUpdate) -> tuple[int, int]:
    return -1 if update.status is None else _STATUSES.index(update.status), update.occurred_at
