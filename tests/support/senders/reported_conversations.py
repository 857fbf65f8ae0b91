"""Generates conversations that several gateways report with gaps, and the result that readers should see."""

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.support.senders import gateway_dialects
from tests.support.senders.chat_actions import OURS, ActionKind, ChatAction

MEMBERS: Final = ("919811000002", "919811000003")
"""The members of a group."""
STATUSES: Final = ("sent", "delivered", "read")
SHARE: Final = 0.7
"""The share of the reportable events that a gateway reports."""


def report(
    chance: random.Random, kinds: Sequence[str], chats: Sequence[str], start: int
) -> tuple[list[tuple[str, bytes]], list[ChatAction]]:
    """Return posts of these kinds of gateways with their senders, and their content, from `start` (in seconds) on."""
    actions = [one for chat in chats for one in _conversation(chance, chat, start)]
    posts: list[tuple[str, bytes]] = []
    reported: list[ChatAction] = []
    for kind, one in itertools.product(kinds, actions):
        body = gateway_dialects.encode(kind, one)
        if body is not None and chance.random() < SHARE:
            posts.append((gateway_dialects.sender(kind), body))
            ids = {"id": gateway_dialects.id_of(kind, one.id), "target": gateway_dialects.id_of(kind, one.target)}
            reported.append(replace(one, **ids))
    return posts, reported


def _conversation(chance: random.Random, chat: str, start: int) -> list[ChatAction]:
    """Return a few messages of both sides, with reactions, edits, deletions and receipts at different times."""
    is_group = "@" in chat
    members = MEMBERS if is_group else (None,)
    actions: list[ChatAction] = []

    def add(kind: ActionKind, **fields: Any) -> ChatAction:  # noqa: ANN401 - fields of ChatAction
        one = ChatAction(kind, f"3A{is_group:d}{len(actions):04X}", chat, start + 10 * len(actions), **fields)
        actions.append(one)
        return one

    for number in range(6):
        ours = number % 3 == 2
        kind = "image" if number == 1 else "text"
        sender = None if ours else chance.choice(members)
        first = add(kind, ours=ours, sender=sender, text=f"text {number}")
        if chance.random() < 0.6:
            for emoji in chance.sample(["👍", "❤", ""], chance.randint(1, 3)):
                add("reaction", ours=True, text=emoji, target=first.id)
                add("reaction", sender=chance.choice(members), text=emoji, target=first.id)
        if chance.random() < 0.4:
            edited = chance.choice((f"text {number}, edited", "")) if kind == "image" else f"text {number}, edited"
            add("edit", ours=ours, sender=sender, text=edited, target=first.id, is_caption=kind == "image")
        if chance.random() < 0.2:
            add("delete", ours=ours, sender=sender, target=first.id)
        if ours:
            for status in STATUSES[: chance.randint(0, 3)]:
                add("ack", text=status, target=first.id)
    return actions


@dataclass
class ShownMessage:
    """A message as a reader sees it."""

    text: str
    direction: str
    status: str | None
    deleted: bool = False
    reactions: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])


def expected(reported: Iterable[ChatAction]) -> dict[str, ShownMessage]:
    """Return the conversation that results from these reports."""
    facts = sorted({replace(one, is_caption=False) for one in reported}, key=lambda one: one.at)
    shown = {
        one.id: ShownMessage(one.text, "outgoing" if one.ours else "incoming", status="sent" if one.ours else None)
        for one in facts
        if one.kind in ("text", "image")
    }
    reactions: dict[str, dict[str | None, str]] = {message_id: {} for message_id in shown}
    for one in facts:
        message = shown.get(one.target)
        if message is None:
            continue
        match one.kind:
            case "reaction":
                reactor = OURS if one.ours else one.sender
                reactions[one.target].pop(reactor, None)
                reactions[one.target][reactor] = one.text
            case "edit":
                message.text = one.text
            case "delete":
                message.deleted = True
            case "ack":
                message.status = max(message.status or "sent", one.text, key=STATUSES.index)
            case _:
                pass
    for message_id, message in shown.items():
        found = ((emoji, None if who == OURS else who) for who, emoji in reactions[message_id].items() if emoji)
        message.reactions = sorted(found, key=str)
        message.text = "" if message.deleted else message.text
    return shown


def as_shown(message: Mapping[str, Any]) -> ShownMessage:
    """Return the message that the API's JSON describes."""
    reactions = [(each["emoji"], each["sender"]) for each in message["reactions"]]
    text = message["message_text"] or message["caption"] or ""
    return ShownMessage(text, message["direction"], message["status"], message["deleted"], sorted(reactions, key=str))
