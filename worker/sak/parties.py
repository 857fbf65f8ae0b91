"""Who speaks to whom: the chat, the direction, in a group the sender, and what that tells about people.

A number may be trusted as a phone only where it is a phone's JID or starts with '+': in the chat of a LID, the gateway
puts the LID's digits into `wa_id` and `from_number`.
"""

from typing import NamedTuple

from store.model.facts import Alias, Direction, Name
from worker.sak import address, json_document, text
from worker.sak.envelope import Envelope, first
from worker.sak.reasons import Reason, UnreadableError

_CHATS = ("chatId", "chat_id", "chatJid", "chat_jid", "remoteJid", "remote_jid")
_CHAT_KEYS = frozenset((*_CHATS, "key"))
_FROM = ("from", "from_jid", "fromJid")
_LIDS = ("from_lid", "fromLid")
_TO = ("to", "to_jid", "toJid", "recipient", "recipientJid", "recipient_id")
_SENDERS = ("participant", "participantJid", "participant_jid", "author", "senderJid", "sender_jid", "sender")
_PUSH_NAMES = ("pushName", "push_name", "pushname", "notifyName", "senderName", "sender_name", "verifiedBizName")
_CONTACT_NAMES = ("contactName", "contact_name")
_CONTACTS = frozenset((*_CONTACT_NAMES, "contact"))

# The other address of one person, by whose it is.
_OTHERS_OF_FROM = (
    "from_lid",
    "fromLid",
    "from_number",
    "fromNumber",
    "senderPn",
    "sender_pn",
    "senderLid",
    "sender_lid",
    "remoteJidAlt",
)
_OTHERS_OF_TO = ("to_lid", "toLid", "to_number", "toNumber", "recipientPn", "recipientLid", "remoteJidAlt")
_OTHERS_OF_SENDER = (
    *("participantPn", "participant_pn", "participantLid", "participant_lid", "participantAlt"),
    *("senderPn", "sender_pn", "senderLid", "sender_lid"),
)


class Parties(NamedTuple):
    """The two sides of a message, and what it tells about the people on them; a tuple, as every event makes one."""

    chat: str
    direction: Direction
    sender: str | None
    """In a group or a broadcast: who wrote it, if it was not we and is told."""
    sender_name: str | None
    """In a group or a broadcast: what the writer is called."""
    evidence: tuple[Alias | Name, ...]


def read(envelope: Envelope, *, is_sent: bool, time: int | None) -> Parties:
    """The parties of an event; `is_sent` if its name says that we wrote it. Raises UnreadableError without a chat."""
    is_ours = is_sent or envelope.is_from_me
    chat, others = _chat(envelope, is_sent=is_sent, is_ours=is_ours)
    evidence: list[Alias | Name] = []
    if address.is_person(chat):
        evidence += _aliases(envelope, chat, others, time)
        evidence += _names(envelope, chat, time, is_ours=is_ours)
        return Parties(chat, "outgoing" if is_ours else "incoming", None, None, tuple(evidence))
    contact = _contact_name(envelope, chat, time)
    if is_ours:
        return Parties(chat, "outgoing", None, None, contact)
    sender = _sender(envelope, chat)
    push_name = text.word(first(envelope.everywhere, _PUSH_NAMES), text.MAX_NAME)
    if sender is not None:
        evidence += _aliases(envelope, sender, _OTHERS_OF_SENDER, time)
        if push_name is not None and _is_name(push_name, sender):
            evidence.append(Name(sender, push_name, 1, time))
    return Parties(chat, "incoming", sender, push_name, (*evidence, *contact))


def told_chat(envelope: Envelope) -> str | None:
    """The chat of an event about a message of ours, if it names the other side; None if not or not clearly.

    Not `from`: in an acknowledgement that may be either side.
    """
    chat = _named_chat(envelope)
    return address.read(first(envelope.everywhere, _TO)) if chat is None else chat


def is_told_as_sent(envelope: Envelope) -> bool:
    """Whether an event whose name does not say so is about us: it names whom it went to, and not whom it came from."""
    return first(envelope.everywhere, _FROM) is None and first(envelope.everywhere, _TO) is not None


def _chat(envelope: Envelope, *, is_sent: bool, is_ours: bool) -> tuple[str, tuple[str, ...]]:
    """The chat's address, and the keys under which the same person's other address may be."""
    places = envelope.everywhere
    told: object = _named_chat(envelope)
    if is_ours and told is None:
        told = first(places, _TO)
        if told is None and (not is_sent or first(places, ("from_jid",)) is not None):
            # SAK's flat events say `from` for the chat, whoever wrote. Otherwise it would be our own number.
            return _readable(envelope, first(places, _FROM)), _OTHERS_OF_FROM
    if is_ours:
        return _readable(envelope, told), _OTHERS_OF_TO
    return _readable(envelope, told or _from(envelope)), _OTHERS_OF_FROM


def _named_chat(envelope: Envelope) -> str | None:
    """The chat where a field is made for it and holds a JID: a bare number there may be a gateway's own."""
    if envelope.lacks(_CHAT_KEYS):
        return None
    key = envelope.key
    for value in (*(first(envelope.everywhere, (name,)) for name in _CHATS), key and key.get("remoteJid")):
        if isinstance(value, str) and "@" in value and (chat := address.read(value)) is not None:
            return chat
    return None


def _readable(envelope: Envelope, value: object) -> str:
    if value is None:
        raise UnreadableError(Reason.NO_ADDRESS)
    chat = address.read(value)
    if chat is None:
        raise UnreadableError(Reason.BAD_ADDRESS)
    is_number = not isinstance(value, str) or "@" not in value
    if is_number and (lid := address.lid(first(envelope.everywhere, _LIDS))) is not None:
        # Digits that are the LID's own name no phone, with or without '+'.
        return lid if lid.removesuffix("@lid") == chat else chat
    return chat


def _from(envelope: Envelope) -> object:
    for key in _FROM:
        value = first(envelope.everywhere, (key,))
        if value is not None and address.read(value) is not None:
            return value
    number = first(envelope.everywhere, ("from_number", "fromNumber"))
    if address.trusted_phone(number) is not None:
        return number
    lid = address.lid(first(envelope.everywhere, _LIDS))
    return lid if lid is not None else first(envelope.everywhere, _FROM)


def _sender(envelope: Envelope, chat: str) -> str | None:
    key = envelope.key
    candidates = [first(envelope.everywhere, (name,)) for name in (*_SENDERS, *_FROM)]
    if key is not None:
        candidates.append(key.get("participant"))
    for candidate in candidates:
        fields = json_document.mapping(candidate)
        sender = address.read(candidate if fields is None else first((fields,), ("id", "jid", "phone", "number")))
        if sender is not None and sender != chat and address.is_person(sender):
            return sender
    return None


def _aliases(envelope: Envelope, person: str, keys: tuple[str, ...], time: int | None) -> list[Alias]:
    """What proves that a LID and a phone are the same person."""
    key = envelope.key
    places = envelope.everywhere if key is None else (*envelope.everywhere, key)
    aliases: list[Alias] = []
    told = [(name, place[name]) for place in places for name in keys if place.get(name) is not None]
    for name, value in told:
        if address.is_lid(person):
            lid, phone = person, address.trusted_phone(value)
        else:
            lid, phone = _told_lid(name, value), person
        if lid is None or phone is None or lid.removesuffix("@lid") == phone:
            continue
        alias = Alias(lid, phone, time)
        if alias not in aliases:
            aliases.append(alias)
    return aliases


def _told_lid(name: str, value: object) -> str | None:
    if name.lower().endswith("lid"):
        return address.lid(value)
    told = address.read(value)
    return told if told is not None and address.is_lid(told) else None


def _names(envelope: Envelope, chat: str, time: int | None, *, is_ours: bool) -> list[Name]:
    names = list(_contact_name(envelope, chat, time))
    # What we wrote carries our own push name.
    push_name = None if is_ours else text.word(first(envelope.everywhere, _PUSH_NAMES), text.MAX_NAME)
    if push_name is not None and _is_name(push_name, chat):
        names.append(Name(chat, push_name, 1, time))
    return names


def _contact_name(envelope: Envelope, chat: str, time: int | None) -> tuple[Name, ...]:
    """The gateway's address book on the chat, or on whoever the contact's own number says.

    Not the message's own `contact`: that is a card that somebody sent.
    """
    if envelope.lacks(_CONTACTS):
        return ()
    places = tuple(place for place in envelope.everywhere if place is not envelope.message)
    contact = json_document.mapping(first(places, ("contact",)))
    if contact is None:
        name, whose = text.word(first(places, _CONTACT_NAMES), text.MAX_NAME), None
    else:
        name = text.word(first((contact,), ("name", "pushName", "pushname")), text.MAX_NAME)
        whose = first((contact,), ("number", "phone", "jid", "id"))
    if name is None:
        return ()
    if whose is not None:
        told = address.read(whose)
        if told is not None and (not address.is_lid(chat) or not address.is_phone(told)):
            chat = told
            return (Name(chat, name, 2, time),) if _is_name(name, chat) else ()
    return (Name(chat, name, 2, time),) if address.is_person(chat) and _is_name(name, chat) else ()


def _is_name(name: str, person: str) -> bool:
    """Whether it tells more than the address: some gateways put the number where they know no name."""
    return address.phone(name) is None and name != person and name != person.partition("@")[0]
