"""An event's JSON with its parts where the dialects put them: flat beside `event`, or nested in `data`."""

from dataclasses import dataclass

from worker.sak import document, moment, text
from worker.sak.document import Fields

_FLAT_MARKS = ("from", "from_jid", "to", "messageId", "message_id")
_SESSIONS = ("sessionId", "session_id")
_MESSAGE_IDS = ("messageId", "message_id", "msgId", "msg_id")
_TIMES = ("timestamp", "messageTimestamp", "message_timestamp", "time", "date")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event, before anybody asks what it means."""

    document: Fields
    data: Fields | None
    """`data`, in the nested dialects."""
    message: Fields | None
    """`message`, in `data` or beside `event`."""
    places: tuple[Fields, ...]
    """Where what belongs to the message may be, the innermost first."""
    everywhere: tuple[Fields, ...]
    """The same and the top level: for keys that mean one thing only."""
    session_id: str | None

    def first(self, keys: tuple[str, ...]) -> object:
        """The first value in the places of the message that is there and not empty; None if there is none."""
        return first(self.places, keys)

    @property
    def key(self) -> Fields | None:
        """Baileys' name for a message: `{remoteJid, fromMe, id, participant}`."""
        for place in self.places:
            key = document.mapping(place.get("key"))
            if key is not None:
                return key
        return None

    @property
    def message_id(self) -> str | None:
        """The id of the message that the event tells of. Not the top level's `id`, which may be the event's own."""
        if self.message is None and self.data is None:
            found = text.identifier(first(self.places, _MESSAGE_IDS))
        else:
            found = text.identifier(first((self.message or {},), ("id", *_MESSAGE_IDS)))
            found = found or text.identifier(first((self.data or {},), (*_MESSAGE_IDS, "id")))
            found = found or text.identifier(first((self.document,), _MESSAGE_IDS))
        if found is None and (key := self.key) is not None:
            found = text.identifier(key.get("id"))
        return found

    @property
    def time(self) -> int | None:
        """When it happened, as the innermost place that names a time claims."""
        for place in self.everywhere:
            for key in _TIMES:
                value = place.get(key)
                if value is not None and (time := moment.read(value)) is not None:
                    return time
        return None

    @property
    def is_from_me(self) -> bool:
        """Whether the message was written by the session's owner."""
        if is_true(self.first(("fromMe", "from_me", "isFromMe", "is_from_me"))):
            return True
        key = self.key
        return key is not None and is_true(key.get("fromMe"))


def is_true(value: object) -> bool:
    """Whether a flag is set, as JSON, as a word or as a number."""
    return value in (1, "true")


def first(places: tuple[Fields, ...], keys: tuple[str, ...]) -> object:
    """The first value under one of these keys that is there and not empty; None if there is none."""
    for place in places:
        for key in keys:
            value = place.get(key)
            if value is not None and value != "":
                return value
    return None


def open_envelope(fields: Fields) -> Envelope:
    """The event's parts. What is told on top is flat, whatever else comes along; else `data` holds it."""
    data = document.mapping(fields.get("data")) or None
    if data is None:
        message = document.mapping(fields.get("message"))
        places = everywhere = (fields,) if message is None else (message, fields)
    elif "message" not in data and any(fields.get(mark) for mark in _FLAT_MARKS):
        message = document.mapping(fields.get("message"))
        places = everywhere = (fields, data) if message is None else (message, fields, data)
    else:
        message = document.mapping(data.get("message"))
        places = (data,) if message is None else (message, data)
        everywhere = (*places, fields)
    return Envelope(
        document=fields,
        data=data,
        message=message,
        places=places,
        everywhere=everywhere,
        session_id=text.identifier(first((fields,) if data is None else (fields, data), _SESSIONS)),
    )
