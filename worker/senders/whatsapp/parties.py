"""Finds the chat, the direction and the sender of a message in Baileys' key or in whatsmeow's info."""

from collections.abc import Iterable
from typing import NamedTuple

from store.model import addresses
from store.model.facts import Direction, DisplayName, LidAlias
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import display_names, text
from worker.senders.whatsapp.json_document import JsonObject

_CHAT_ALIAS_KEYS = ("remoteJidAlt", "previousRemoteJid", "senderPn", "senderLid")
_SENDER_ALIAS_KEYS = ("participantAlt", "participantPn", "participantLid")


class Parties(NamedTuple):
    """The two sides of a message and the evidence about them.

    It is a tuple for speed, because there is one for each event.
    """

    chat: str
    direction: Direction
    sender: str | None
    """The sender of an incoming message in a group or a broadcast, if known."""
    sender_name: str | None
    """The name of the sender in a group or a broadcast."""
    evidence: tuple[LidAlias | DisplayName, ...]


def of_key(key: JsonObject, push_name: object, time: int | None) -> Parties:
    """Return the parties of `{remoteJid, fromMe, participant}`. Raises NoFactsError if there is no chat."""
    chat = key.get("remoteJid")
    return find(
        chat,
        is_ours=key.get("fromMe") is True,
        sender=key.get("participant"),
        chat_aliases=(key.get(name) for name in _CHAT_ALIAS_KEYS),
        sender_aliases=(key.get(name) for name in _SENDER_ALIAS_KEYS),
        push_name=push_name,
        time=time,
    )


def of_info(info: JsonObject, time: int | None) -> Parties:
    """Return the parties of `{Chat, Sender, IsFromMe, …}`. Raises NoFactsError if there is no chat."""
    is_ours = info.get("IsFromMe") is True
    return find(
        info.get("Chat"),
        is_ours=is_ours,
        sender=info.get("Sender"),
        chat_aliases=(info.get("RecipientAlt" if is_ours else "SenderAlt"),),
        sender_aliases=(info.get("SenderAlt"),),
        push_name=info.get("PushName"),
        time=time,
    )


def find(  # noqa: PLR0913 - the two sides of a message
    chat: object,
    *,
    is_ours: bool,
    sender: object,
    chat_aliases: Iterable[object] = (),
    sender_aliases: Iterable[object] = (),
    push_name: object,
    time: int | None,
) -> Parties:
    """Return the parties of a message. Raises NoFactsError if there is no chat.

    `chat_aliases` are other addresses of the chat, if it is a person's; `sender_aliases` are those of a group's sender.
    """
    address = parse_chat(chat)
    # A message of the session's owner contains the owner's name.
    name = None if is_ours else text.name(push_name)
    if addresses.is_individual(address):
        evidence = (*_aliases(address, chat_aliases, time), *display_names.evidence(name, address, 1, time))
        return Parties(address, "outgoing" if is_ours else "incoming", None, None, evidence)
    person = addresses.parse(sender)
    if is_ours or person is None or not addresses.is_person(person):
        return Parties(address, "outgoing" if is_ours else "incoming", None, name, ())
    evidence = (*_aliases(person, sender_aliases, time), *display_names.evidence(name, person, 1, time))
    return Parties(address, "incoming", person, name, evidence)


def parse_own_phone(value: object) -> str | None:
    """Return the phone of a session by its own address, or None if that is no phone."""
    address = addresses.parse(value)
    return address if address is not None and addresses.is_phone(address) else None


def parse_chat(value: object) -> str:
    """Return the address of a chat. Raises NoFactsError."""
    chat = addresses.parse(value)
    if chat is None:
        raise NoFactsError(Reason.BAD_ADDRESS if value else Reason.NO_ADDRESS)
    return chat


def _aliases(person: str, others: Iterable[object], time: int | None) -> tuple[LidAlias, ...]:
    found = [alias for other in others if (alias := _alias(person, addresses.parse(other), time)) is not None]
    return tuple(dict.fromkeys(found))


def _alias(person: str, other: str | None, time: int | None) -> LidAlias | None:
    if other is None:
        return None
    lid, phone = (person, other) if addresses.is_lid(person) else (other, person)
    is_pair = addresses.is_lid(lid) and addresses.is_phone(phone) and lid.removesuffix("@lid") != phone
    return LidAlias(lid, phone, time) if is_pair else None
