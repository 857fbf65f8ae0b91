"""Finds the chat, direction and sender of a message, and its evidence on LIDs and names.

A number counts as a phone only in a phone's JID or with '+', because in the chat of a LID, the gateway puts the LID's
digits into `wa_id` and `from_number`.
"""

from typing import NamedTuple

from store.model import addresses, national_spellings
from store.model.facts import DisplayName, LidAlias
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.sak.envelope import Envelope, first_value
from worker.senders.whatsapp import display_names, json_document, text
from worker.senders.whatsapp.parties import Parties

_CHAT_KEYS = ("chatId", "chat_id", "chatJid", "chat_jid", "remoteJid", "remote_jid")
_CHAT_HINT_KEYS = frozenset((*_CHAT_KEYS, "key"))
_FROM_KEYS = ("from", "from_jid", "fromJid")
_LID_KEYS = ("from_lid", "fromLid")
_TO_KEYS = ("to", "to_jid", "toJid", "recipient", "recipientJid", "recipient_id")
_SENDER_KEYS = ("participant", "participantJid", "participant_jid", "author", "senderJid", "sender_jid", "sender")
_PUSH_NAME_KEYS = ("pushName", "push_name", "pushname", "notifyName", "senderName", "sender_name", "verifiedBizName")
_CONTACT_NAME_KEYS = ("contactName", "contact_name")
_NUMBER_KEYS = ("number", "phone", "jid", "id")
_CONTACT_KEYS = frozenset((*_CONTACT_NAME_KEYS, "contact"))

# Keys of a person's other address: that of the sender, the recipient, and a group's sender.
_FROM_ALIAS_KEYS = (
    *("from_lid", "fromLid", "from_number", "fromNumber", "wa_id", "waId"),
    *("senderPn", "sender_pn", "senderLid", "sender_lid", "remoteJidAlt"),
)
_TO_ALIAS_KEYS = (
    "to_lid",
    "toLid",
    "to_number",
    "toNumber",
    "wa_id",
    "waId",
    "recipientPn",
    "recipientLid",
    "remoteJidAlt",
)
_SENDER_ALIAS_KEYS = (
    *("participantPn", "participant_pn", "participantLid", "participant_lid", "participantAlt"),
    *("senderPn", "sender_pn", "senderLid", "sender_lid"),
)
_LID_ALIAS_KEYS = frozenset(
    key for key in (*_FROM_ALIAS_KEYS, *_TO_ALIAS_KEYS, *_SENDER_ALIAS_KEYS) if key.lower().endswith("lid")
)
"""The keys above that are for LIDs. Bare digits under such a key are a LID."""


class _Contact(NamedTuple):
    """The person's entry in the gateway's address book."""

    name: str | None
    number: object


_NO_CONTACT = _Contact(None, None)


def read(envelope: Envelope, *, is_sent: bool, time: int | None) -> Parties:
    """Return the parties of an event. `is_sent` is set if its name implies outgoing.

    Raises NoFactsError if no chat is named.
    """
    is_ours = is_sent or envelope.is_from_me
    chat, others = _resolve_chat(envelope, is_sent=is_sent, is_ours=is_ours)
    contact = _find_contact(envelope)
    evidence: list[LidAlias | DisplayName] = []
    if others is _FROM_ALIAS_KEYS and (lid := _find_chat_lid(envelope, chat)) is not None:
        evidence.append(LidAlias(lid, chat, time))
        chat = lid
    if addresses.is_individual(chat):
        if addresses.is_person(chat):
            aliases = _find_aliases(envelope, chat, others, contact, time)
            evidence += [each for each in aliases if each not in evidence]
        evidence += _contact_names(contact, chat, time)
        # An outgoing message contains the owner's own push name.
        evidence += display_names.evidence(None if is_ours else find_push_name(envelope), chat, 1, time)
        return Parties(chat, "outgoing" if is_ours else "incoming", None, None, tuple(evidence))
    contact_names = _contact_names(contact, chat, time)
    if is_ours:
        return Parties(chat, "outgoing", None, None, contact_names)
    sender = _find_sender(envelope, chat)
    push_name = find_push_name(envelope)
    if sender is not None:
        evidence += _find_aliases(envelope, sender, _SENDER_ALIAS_KEYS, _NO_CONTACT, time)
        evidence += display_names.evidence(push_name, sender, 1, time)
    return Parties(chat, "incoming", sender, push_name, (*evidence, *contact_names))


def find_chat(envelope: Envelope) -> str | None:
    """Return the chat of an event about an outgoing message, or None if the recipient is absent or ambiguous.

    `from` does not count, because in an acknowledgement it may name either side.
    """
    chat = _find_chat_jid(envelope)
    return addresses.parse(first_value(envelope.all_objects, _TO_KEYS)) if chat is None else chat


def find_push_name(envelope: Envelope) -> str | None:
    """Return the push name of the sender."""
    return text.name(first_value(envelope.all_objects, _PUSH_NAME_KEYS))


def is_implicitly_sent(envelope: Envelope) -> bool:
    """Return whether an event whose name has no direction is outgoing: it has a recipient but no sender."""
    places = envelope.all_objects
    return first_value(places, _FROM_KEYS) is None and first_value(places, _TO_KEYS) is not None


def _resolve_chat(envelope: Envelope, *, is_sent: bool, is_ours: bool) -> tuple[str, tuple[str, ...]]:
    """Return the address of the chat, and the keys of the same person's other address."""
    places = envelope.all_objects
    chat: object = _find_chat_jid(envelope)
    if is_ours and chat is None:
        chat = first_value(places, _TO_KEYS)
        if chat is None and (not is_sent or first_value(places, ("from_jid",)) is not None):
            # In SAK's flat events, `from` is the chat in both directions. Elsewhere it would be the owner's number.
            return _parse_chat(envelope, first_value(places, _FROM_KEYS)), _FROM_ALIAS_KEYS
    if is_ours:
        return _parse_chat(envelope, chat), _TO_ALIAS_KEYS
    return _parse_chat(envelope, chat or _find_from(envelope)), _FROM_ALIAS_KEYS


def _find_chat_lid(envelope: Envelope, chat: str) -> str | None:
    """Return the LID of a chat that the gateway reports under a phone. The LID is certain, the phone is a guess."""
    lid = addresses.parse_lid(first_value(envelope.all_objects, _LID_KEYS)) if addresses.is_phone(chat) else None
    return None if lid is None or lid.removesuffix("@lid") == chat else lid


def _find_chat_jid(envelope: Envelope) -> str | None:
    """Return the JID in a field for the chat. A bare number there may be the gateway's own."""
    if envelope.has_none_of(_CHAT_HINT_KEYS):
        return None
    key = envelope.message_key
    for value in (*(first_value(envelope.all_objects, (name,)) for name in _CHAT_KEYS), key and key.get("remoteJid")):
        if isinstance(value, str) and "@" in value and (chat := addresses.parse(value)) is not None:
            return chat
    return None


def _parse_chat(envelope: Envelope, value: object) -> str:
    if value is None:
        raise NoFactsError(Reason.NO_ADDRESS)
    chat = addresses.parse(value)
    if chat is None:
        raise NoFactsError(Reason.BAD_ADDRESS)
    is_number = not isinstance(value, str) or "@" not in value
    if is_number and (lid := addresses.parse_lid(first_value(envelope.all_objects, _LID_KEYS))) is not None:
        # The digits of the LID are not a phone, with or without '+'.
        return lid if lid.removesuffix("@lid") == chat else chat
    return chat


def _find_from(envelope: Envelope) -> object:
    for key in _FROM_KEYS:
        value = first_value(envelope.all_objects, (key,))
        if value is not None and addresses.parse(value) is not None:
            return value
    number = first_value(envelope.all_objects, ("from_number", "fromNumber"))
    if addresses.parse_unambiguous_phone(number) is not None:
        return number
    lid = addresses.parse_lid(first_value(envelope.all_objects, _LID_KEYS))
    return lid if lid is not None else first_value(envelope.all_objects, _FROM_KEYS)


def _find_sender(envelope: Envelope, chat: str) -> str | None:
    key = envelope.message_key
    candidates = [first_value(envelope.all_objects, (name,)) for name in (*_SENDER_KEYS, *_FROM_KEYS)]
    if key is not None:
        candidates.append(key.get("participant"))
    for candidate in candidates:
        fields = json_document.as_object(candidate)
        value = candidate if fields is None else first_value((fields,), ("id", "jid", "phone", "number"))
        sender = addresses.parse(value)
        if sender is not None and sender != chat and addresses.is_person(sender):
            return sender
    return None


def _find_aliases(
    envelope: Envelope, person: str, keys: tuple[str, ...], contact: _Contact, time: int | None
) -> list[LidAlias]:
    """Return evidence that a LID and a phone are the same person."""
    key = envelope.message_key
    places = envelope.all_objects if key is None else (*envelope.all_objects, key)
    aliases: list[LidAlias] = []
    values = [(name, place[name]) for place in places for name in keys if name in place]
    if contact.number is not None:
        values.append(("contact", contact.number))
    has_lid = addresses.is_lid(person)
    for name, value in values:
        if has_lid:
            lid, phone = person, addresses.parse_unambiguous_phone(value)
        else:
            lid, phone = _parse_alias(name, value), person
            if lid == person:
                continue
            if lid is not None and not addresses.is_lid(lid):
                # The person's number in another national spelling.
                lid, phone = national_spellings.standard_pair(person, lid) or (None, None)
        if lid is None or phone is None or lid.removesuffix("@lid") == phone:
            continue
        alias = LidAlias(lid, phone, time)
        if alias not in aliases:
            aliases.append(alias)
    return aliases


def _parse_alias(name: str, value: object) -> str | None:
    lid = addresses.parse_lid(value) if name in _LID_ALIAS_KEYS else None
    return addresses.parse(value) if lid is None else lid


def _find_contact(envelope: Envelope) -> _Contact:
    if envelope.has_none_of(_CONTACT_KEYS):
        return _NO_CONTACT
    # The message's own `contact` is a contact card that was sent.
    places = tuple(place for place in envelope.all_objects if place is not envelope.message)
    fields = json_document.as_object(first_value(places, ("contact",)))
    if fields is None:
        return _Contact(text.name(first_value(places, _CONTACT_NAME_KEYS)), None)
    name = text.name(first_value((fields,), ("name", "pushName", "pushname")))
    return _Contact(name, first_value((fields,), _NUMBER_KEYS))


def _contact_names(contact: _Contact, chat: str, time: int | None) -> tuple[DisplayName, ...]:
    """Return the name of the chat in the gateway's address book, or that of the contact's own number."""
    if contact.name is None:
        return ()
    person = addresses.parse(contact.number)
    if person is not None and not (addresses.is_lid(chat) and addresses.is_phone(person)):
        chat = person
    elif not addresses.is_individual(chat):
        return ()
    return display_names.evidence(contact.name, chat, 2, time)
