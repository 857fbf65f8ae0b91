"""Locates the parts of an event in its JSON, which is flat beside `event`, or nested in `data`."""

from store.model.records import record
from worker.senders.whatsapp import json_document, proto, text, timestamps
from worker.senders.whatsapp.json_document import JsonObject

_FLAT_KEYS = ("from", "from_jid", "to", "messageId", "message_id")
_SESSION_ID_KEYS = ("sessionId", "session_id")
_MESSAGE_ID_KEYS = ("messageId", "message_id", "msgId", "msg_id")
_TIME_KEYS = ("timestamp", "messageTimestamp", "message_timestamp", "time", "date")


@record
class Envelope:
    """The parts of an event before they are interpreted."""

    root: JsonObject
    data: JsonObject | None
    """`data` in the nested dialects."""
    message: JsonObject | None
    """`message`, either in `data` or beside `event`."""
    message_objects: tuple[JsonObject, ...]
    """The objects that may contain the fields of the message, innermost first."""
    all_objects: tuple[JsonObject, ...]
    """These objects and the top level, for keys with a single meaning."""
    session_id: str | None

    message_key: JsonObject | None
    """Baileys' key of a message: `{remoteJid, fromMe, id, participant}`."""
    time: int | None
    """The event's time, from the innermost object that has one."""

    def first_value(self, keys: tuple[str, ...]) -> object:
        """Return the first non-empty value in `message_objects`, or None if there is none."""
        return first_value(self.message_objects, keys)

    def has_none_of(self, keys: frozenset[str]) -> bool:
        """Return whether no object has any of these keys.

        One check replaces many, because most events have no rare keys.
        """
        for place in self.all_objects:  # noqa: SIM110 - a generator is slower
            if not keys.isdisjoint(place):
                return False
        return True

    @property
    def message_id(self) -> str | None:
        """The id of the event's message. It excludes `id` on the top level, which may be the event's own."""
        found = (
            None if self.message is None else text.identifier(first_value((self.message,), ("id", *_MESSAGE_ID_KEYS)))
        )
        if found is None and self.data is not None:
            found = text.identifier(first_value((self.data,), (*_MESSAGE_ID_KEYS, "id")))
        if found is None:
            found = text.identifier(first_value((self.root,), _MESSAGE_ID_KEYS))
        if found is None and self.message_key is not None:
            found = text.identifier(self.message_key.get("id"))
        return found

    @property
    def has_long_time(self) -> bool:
        """True if the time is a Long object, as in events that SAK did not decrypt itself, such as notices."""
        times = (json_document.as_object(place.get(key)) for place in self.all_objects for key in _TIME_KEYS)
        return any(time is not None and "low" in time for time in times)

    @property
    def is_from_me(self) -> bool:
        """True if the session's owner wrote the message."""
        if is_true(self.first_value(("fromMe", "from_me", "isFromMe", "is_from_me"))):
            return True
        return self.message_key is not None and is_true(self.message_key.get("fromMe"))


def is_flat(fields: JsonObject) -> bool:
    """Return whether the fields of the message are on the top level."""
    return any(fields.get(mark) for mark in _FLAT_KEYS)


def is_true(value: object) -> bool:
    """Return whether a flag is set: true, "true" or 1."""
    return value in (1, "true")


def first_value(objects: tuple[JsonObject, ...], keys: tuple[str, ...]) -> object:
    """Return the first non-empty value under one of these keys, or None if there is none."""
    for place in objects:
        for key in keys:
            value = place.get(key)
            if value is not None and value != "":
                return value
    return None


def open_envelope(fields: JsonObject) -> Envelope:
    """Return the parts of the event: flat if message fields are on the top level, otherwise from `data`."""
    data = json_document.as_object(fields.get("data")) or None
    if data is None:
        message = json_document.as_object(fields.get("message"))
        places = everywhere = (fields,) if message is None else (message, fields)
    elif "message" not in data and is_flat(fields):
        message = json_document.as_object(fields.get("message"))
        places = everywhere = (fields, data) if message is None else (message, fields, data)
    else:
        message = json_document.as_object(data.get("message"))
        places = (data,) if message is None else (message, data)
        everywhere = (*places, fields)
    session_id = text.identifier(first_value((fields,) if data is None else (fields, data), _SESSION_ID_KEYS))
    message_key, time = _find_message_key(places), _find_time(everywhere)
    return Envelope(fields, data, message, places, everywhere, session_id, message_key, time)


def _find_message_key(objects: tuple[JsonObject, ...]) -> JsonObject | None:
    for place in objects:
        if (key := json_document.as_object(place.get("key"))) is not None:
            return key
    return None


def _find_time(objects: tuple[JsonObject, ...]) -> int | None:
    for place in objects:
        for key in _TIME_KEYS:
            value = place.get(key)
            if value is not None and (time := timestamps.parse(value)) is not None:
                return time
    return None


def find_protobuf(envelope: Envelope, objects: tuple[JsonObject, ...]) -> tuple[str, JsonObject] | None:
    """Return the first protobuf message that is one of these objects or is contained in one."""
    for place in objects:
        is_message = place is envelope.message
        found = proto.unwrap(place, is_message=is_message, is_protobuf=is_message and envelope.message_key is not None)
        if found is not None:
            return found
    return None
