"""Divides a change from Meta into items, and reads each of them: a message, a status or a contact."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from environment import sender_errors
from store.model import addresses
from store.model.facts import Ack, DisplayName, Fact, LidAlias
from worker.senders.meta import content
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import (
    display_names,
    json_document,
    message_facts,
    message_ids,
    statuses,
    text,
    timestamps,
    update_content,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.parties import Parties
from worker.senders.whatsapp.update_content import UpdateContent

_UPDATES: Final = frozenset({"reaction", "edit", "revoke"})
"""Types of messages that change another message."""
ItemReader: TypeAlias = Callable[[], tuple[Fact, ...]]
"""Reads one item. Raises NoFactsError."""

_GROUP: Final = re.compile(rb"capi_group:[0-9]+:([0-9]{5,32})")
"""The id of a group in base64: the number of the business, and the digits of the group's JID."""


class MetaChange(NamedTuple):
    """The `value` of a change."""

    value: JsonObject
    own_phone: str | None
    """The digits of the session's own number."""


def messages(change: MetaChange) -> Iterator[ItemReader]:
    """Yield the items of the field `messages`: incoming messages, and the statuses of outgoing ones."""
    contact_names = _names(change.value)
    for item in json_document.objects(change.value.get("messages")):
        yield partial(_message, item, contact_names)
    for item in json_document.objects(change.value.get("statuses")):
        yield partial(_status, item)
    if change.value.get("errors"):
        yield _notice


def echoes(change: MetaChange) -> Iterator[ItemReader]:
    """Yield the items of the field `smb_message_echoes`: messages that were sent with the Business app."""
    for item in json_document.objects(change.value.get("message_echoes")):
        yield partial(_message, item, {}, is_ours=True)


def history(change: MetaChange) -> Iterator[ItemReader]:
    """Yield the items of the field `history`: chats from before the Business app was linked, or the refusal of them.

    The files of these messages come later, as `messages` with the same ids.
    """
    for chunk in json_document.objects(change.value.get("history")):
        for thread in json_document.objects(chunk.get("threads")):
            for item in json_document.objects(thread.get("messages")):
                yield partial(_history_message, change, thread, item)
        if chunk.get("errors"):
            yield _notice
    for item in json_document.objects(change.value.get("messages")):
        yield partial(_history_message, change, {}, item)


def contacts(change: MetaChange) -> Iterator[ItemReader]:
    """Yield the items of the field `smb_app_state_sync`: the address book of the Business app."""
    for item in json_document.objects(change.value.get("state_sync")):
        yield partial(_contact, item)


def _notice() -> tuple[Fact, ...]:
    raise NoFactsError(Reason.GATEWAY_NOTICE)


def _names(value: JsonObject) -> dict[str, str]:
    """Return the push name of each `wa_id` and `user_id`."""
    found: dict[str, str] = {}
    for contact in json_document.objects(value.get("contacts")):
        profile = json_document.object_at(contact, "profile")
        if (name := text.name(profile.get("name"))) is not None:
            for key in ("wa_id", "user_id"):
                if (identifier := text.identifier(contact.get(key))) is not None:
                    found[identifier] = name
    return found


def _history_message(change: MetaChange, thread: JsonObject, item: JsonObject) -> tuple[Fact, ...]:
    own_phone = change.own_phone
    # Only outgoing messages contain their recipient.
    is_ours = "to" in item if own_phone is None else addresses.parse_phone(item.get("from")) == own_phone
    context = json_document.object_at(item, "history_context")
    if is_ours and "to" not in item:
        item = {**item, "to": thread.get("id")}
    return _message(item, {}, is_ours=is_ours, status=context.get("status"), is_history=True)


def _message(
    item: JsonObject,
    contact_names: dict[str, str],
    *,
    is_ours: bool = False,
    status: object = None,
    is_history: bool = False,
) -> tuple[Fact, ...]:
    time = timestamps.parse(item.get("timestamp"))
    sides = _parties(item, contact_names, time, is_ours=is_ours)
    raw_type = content.type_of(item)
    return message_facts.of(
        _update(raw_type, item) if raw_type in _UPDATES else content.read(item, raw_type),
        sides,
        message_id=text.identifier(item.get("id")),
        time=time,
        status=statuses.parse(status),
        is_history=is_history,
    )


def _update(raw_type: str | None, item: JsonObject) -> UpdateContent:
    fields = json_document.object_at(item, raw_type or "")
    if raw_type == "reaction":
        # An absent emoji removes the reaction.
        return update_content.react(text.identifier(fields.get("message_id")), fields.get("emoji") or "")
    target = text.identifier(fields.get("original_message_id"))
    if raw_type == "revoke":
        return update_content.delete(target)
    return update_content.edit(target, content.edited_text(json_document.object_at(fields, "message")))


def _parties(item: JsonObject, contact_names: dict[str, str], time: int | None, *, is_ours: bool) -> Parties:
    person = _person(item, "to" if is_ours else "from")
    group = None if not item.get("group_id") else _group(item.get("group_id"))
    chat = group or person
    if chat is None:
        has_any = item.get("from") or item.get("from_user_id")
        raise NoFactsError(Reason.BAD_ADDRESS if has_any else Reason.NO_ADDRESS)
    aliases = _aliases(item, "to" if is_ours else "from", time)
    if is_ours:
        return Parties(chat, "outgoing", None, None, aliases)
    identifiers = (text.identifier(item.get(key)) for key in ("from", "from_user_id"))
    name = next((contact_names[each] for each in identifiers if each in contact_names), None)
    evidence: tuple[DisplayName | LidAlias, ...] = aliases
    if person is not None:
        evidence = (*aliases, *display_names.evidence(name, person, 1, time))
    return Parties(chat, "incoming", *((person, name) if group else (None, None)), evidence)


def _person(item: JsonObject, key: str) -> str | None:
    """Return the phone of the sender or recipient, or the id from Meta for people who hide it behind a username."""
    return addresses.parse(item.get(key)) or addresses.parse_business_scoped(item.get(f"{key}_user_id"))


def _aliases(item: JsonObject, key: str, time: int | None) -> tuple[LidAlias, ...]:
    """Return evidence that Meta's id and a phone belong to one person, if the item contains both."""
    phone, hidden = addresses.parse(item.get(key)), addresses.parse_business_scoped(item.get(f"{key}_user_id"))
    if phone is None or hidden is None or not addresses.is_phone(phone):
        return ()
    return (LidAlias(hidden, phone, time),)


def _group(group_id: object) -> str:
    """Return the address of a group."""
    address = addresses.parse(group_id)
    if address is None and isinstance(group_id, str) and len(group_id) <= text.MAX_ID_BYTES:
        try:
            decoded = base64.b64decode(group_id[: len(group_id) // 4 * 4])
        except (binascii.Error, ValueError):
            decoded = b""
        if match := _GROUP.match(decoded):
            address = addresses.parse(f"{match[1].decode()}@g.us")
    if address is None:
        raise NoFactsError(Reason.BAD_ADDRESS)
    return address


def _status(item: JsonObject) -> tuple[Fact, ...]:
    if item.get("type") == "payment":
        raise NoFactsError(Reason.GATEWAY_NOTICE)
    message_id = message_ids.require(text.identifier(item.get("id")))
    status = statuses.parse(item.get("status"))
    if status is None:
        raise NoFactsError(Reason.UNKNOWN_STATUS if item.get("status") else Reason.NO_STATUS)
    reason = _failure(item) if status == "failed" else None
    reference = text.identifier(item.get("biz_opaque_callback_data"))
    time = timestamps.parse(item.get("timestamp"))
    recipient = {"to": item.get("recipient_id"), "to_user_id": item.get("recipient_user_id")}
    return (Ack(message_id, status, _recipient(item), time, reason, reference), *_aliases(recipient, "to", time))


def _failure(item: JsonObject) -> str | None:
    """Return the reason of the failure with Meta's code, in Meta's words if we have none."""
    error = next(iter(json_document.objects(item.get("errors"))), None)
    if error is None:
        return None
    details = json_document.object_at(error, "error_data")
    code = text.identifier(error.get("code"))
    reason = text.reason(details.get("details"), error.get("title"), error.get("message"))
    words = sender_errors.META.get(code or "") or reason
    if words is None:
        return None if code is None else f"Meta says no more than the code {code}"
    return words if code is None else f"{words} (Meta's code {code})"


def _recipient(item: JsonObject) -> str | None:
    """Return the chat of a status, or None if it contains no known one. Then the message is found only by its id."""
    if item.get("recipient_type") == "group":
        try:
            return _group(item.get("recipient_id"))
        except NoFactsError:
            return None
    return addresses.parse(item.get("recipient_id")) or addresses.parse_business_scoped(item.get("recipient_user_id"))


def _contact(item: JsonObject) -> tuple[Fact, ...]:
    contact = json_document.object_at(item, "contact")
    address = addresses.parse_phone(contact.get("phone_number"))
    if address is None:
        raise NoFactsError(Reason.NO_ADDRESS)
    name = text.name(contact.get("full_name")) or text.name(contact.get("first_name"))
    time = timestamps.parse(json_document.object_at(item, "metadata").get("timestamp"))
    names = display_names.evidence(name, address, 2, time)
    if item.get("action") == "remove" or not names:
        raise NoFactsError(Reason.GATEWAY_NOTICE)
    return names
