"""Parses bodies that contain the names of event and session: `{"event": …, "session": …, "data": {…}}`.

Each kind of sender with such bodies has an `EventFormat`: the keys of the parts, and a reader for each name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from store.model.facts import Fact, Outcome
from worker.senders import results
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text, timestamps
from worker.senders.whatsapp.json_document import JsonObject

BACKFILL: Final = "backfill.message"
"""The name of an event that a backfill makes from a message in the gateway's store (worker/backfill/)."""


class GatewayEvent(NamedTuple):
    """The parts of an event before they are interpreted."""

    name: str
    session_id: str
    items: tuple[JsonObject, ...]
    """The objects that the event is about, at least one. Only formats with lists have several."""
    time: int | None
    """The time in the envelope."""
    envelope: JsonObject

    @property
    def data(self) -> JsonObject:
        """The first object, which is the only one in most events."""
        return self.items[0]

    def time_of(self, fields: JsonObject) -> int | None:
        """Return the fields' own time, or else that of the envelope."""
        return timestamps.parse(fields.get("timestamp")) or self.time


Reader: TypeAlias = Callable[[GatewayEvent], tuple[Fact, ...]]
"""Returns the facts of an event. Raises NoFactsError."""


@dataclass(frozen=True, slots=True)
class EventFormat:
    """The format of a kind of sender: the keys of the envelope, and the readers of its events."""

    session: Callable[[JsonObject], str | None]
    """Returns the gateway's own name of the session."""
    data_key: str
    readers: Mapping[str, Reader]
    noise: Mapping[str, Reason]
    """The reason for each name that contains nothing for the history. A key that ends with a dot is a prefix."""
    is_self_identifying: Callable[[JsonObject], bool]
    """Returns whether equal bodies are the same event. The result for a body must never change."""
    pings: frozenset[str] = frozenset()
    has_lists: bool = False
    """True if an event may have a list of objects in place of one."""
    name_key: str = "event"
    decode: Callable[[bytes], JsonObject] = json_document.decode
    """Returns the fields of a body. Raises NoFactsError."""


def parse(body: bytes, event_format: EventFormat) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    try:
        fields = event_format.decode(body)
    except NoFactsError as error:
        return results.without_facts(error.reason)
    return ParseResult(_outcome(fields, event_format), event_format.is_self_identifying(fields))


def read_each(items: Iterable[JsonObject], read: Callable[[JsonObject], tuple[Fact, ...]]) -> tuple[Fact, ...]:
    """Return the facts of all items that can be read. Raises NoFactsError if none can."""
    facts: list[Fact] = []
    reasons: list[Reason] = []
    for item in items:
        try:
            facts += read(item)
        except NoFactsError as error:
            reasons.append(error.reason)
    if not facts and reasons:
        raise NoFactsError(most_relevant_reason(reasons))
    return tuple(facts)


def most_relevant_reason(reasons: Iterable[Reason]) -> Reason:
    """Return the reason for an event from which nothing could be read. Parking takes precedence over noise."""
    return min(reasons, key=lambda reason: reason.kind != "parked", default=Reason.UNKNOWN_SHAPE)


def _outcome(fields: JsonObject, event_format: EventFormat) -> Outcome:
    name = text.label(fields.get(event_format.name_key))
    session_id = event_format.session(fields)
    time = timestamps.parse(fields.get("timestamp"))
    if name in event_format.pings:
        return Outcome("ping", None, session_id, name, time)
    try:
        facts = _facts(fields, name, session_id, time, event_format)
    except NoFactsError as error:
        return Outcome(error.reason.kind, error.reason.value, session_id, name, time)
    return Outcome("stored", None, session_id, name, time, facts)


def _facts(
    fields: JsonObject, name: str | None, session_id: str | None, time: int | None, event_format: EventFormat
) -> tuple[Fact, ...]:
    if name is None:
        raise NoFactsError(Reason.NO_EVENT)
    reader = event_format.readers.get(name)
    if reader is None:
        raise NoFactsError(_noise_reason(name, event_format.noise) or Reason.UNKNOWN_EVENT)
    if session_id is None:
        raise NoFactsError(Reason.NO_SESSION)
    data = fields.get(event_format.data_key)
    one = json_document.as_object(data)
    items = (one,) if one is not None else json_document.objects(data) if event_format.has_lists else ()
    if not items:
        raise NoFactsError(Reason.UNKNOWN_SHAPE)
    return reader(GatewayEvent(name, session_id, items, time, fields))


def _noise_reason(name: str, noise: Mapping[str, Reason]) -> Reason | None:
    return noise.get(name) or noise.get(name.partition(".")[0] + ".")
