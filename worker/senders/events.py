"""Parses bodies that name their event and their session: `{"event": …, "session": …, "data": {…}}`.

A kind of sender with such bodies is a `Dialect`: the keys of the parts, and a reader for each name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from store.model.facts import Fact, Outcome
from worker.senders.reasons import Reason, UnreadableEventError
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text, timestamps
from worker.senders.whatsapp.json_document import JsonObject

BACKFILL: Final = "backfill.message"
"""The name of an event that a backfill makes of one message in the gateway's store (worker/backfill/)."""


class Event(NamedTuple):
    """One event's parts, not yet interpreted."""

    name: str
    session_id: str
    items: tuple[JsonObject, ...]
    """The objects that the event tells of, at least one; several only in a dialect with lists."""
    time: int | None
    """The time in the envelope."""
    envelope: JsonObject

    @property
    def data(self) -> JsonObject:
        """The first object; of most events the only one."""
        return self.items[0]


Reader: TypeAlias = Callable[[Event], tuple[Fact, ...]]
"""The facts of an event; raises UnreadableEventError."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a kind of sender writes its envelope, and who reads its events."""

    session: Callable[[JsonObject], str | None]
    """The gateway's own word for the session."""
    data_key: str
    readers: Mapping[str, Reader]
    noise: Mapping[str, Reason]
    """The reason of each name that tells nothing of the history; a key that ends with a dot is a prefix."""
    is_self_identifying: Callable[[JsonObject], bool]
    """Whether equal bodies are the same event; the answer must never change for a body."""
    pings: frozenset[str] = frozenset()
    has_lists: bool = False
    """Whether an event may have a list of objects in place of one."""
    name_key: str = "event"
    decode: Callable[[bytes], JsonObject] = json_document.decode
    """The fields of a body; raises UnreadableEventError."""


def parse(body: bytes, dialect: Dialect) -> ParseResult:
    """Parse one event. Never raises; time and memory are proportional to the body's length."""
    try:
        fields = dialect.decode(body)
    except UnreadableEventError as error:
        return ParseResult(Outcome(error.reason.kind, error.reason.value, None, None, None), is_self_identifying=False)
    return ParseResult(_outcome(fields, dialect), dialect.is_self_identifying(fields))


def of_each(items: Iterable[JsonObject], read: Callable[[JsonObject], tuple[Fact, ...]]) -> tuple[Fact, ...]:
    """The facts of all items, of which one that cannot be read holds up no other; raises UnreadableEventError."""
    facts: list[Fact] = []
    reasons: list[Reason] = []
    for item in items:
        try:
            facts += read(item)
        except UnreadableEventError as error:
            reasons.append(error.reason)
    if not facts and reasons:
        raise UnreadableEventError(first_to_tell(reasons))
    return tuple(facts)


def first_to_tell(reasons: Iterable[Reason]) -> Reason:
    """The reason of an event of which nothing was read: what is not understood is parked, also beside noise."""
    return min(reasons, key=lambda reason: reason.kind != "parked", default=Reason.UNKNOWN_SHAPE)


def _outcome(fields: JsonObject, dialect: Dialect) -> Outcome:
    name = text.label(fields.get(dialect.name_key))
    session_id = dialect.session(fields)
    time = timestamps.parse(fields.get("timestamp"))
    if name in dialect.pings:
        return Outcome("ping", None, session_id, name, time)
    try:
        facts = _facts(fields, name, session_id, time, dialect)
    except UnreadableEventError as error:
        return Outcome(error.reason.kind, error.reason.value, session_id, name, time)
    return Outcome("stored", None, session_id, name, time, facts)


def _facts(
    fields: JsonObject, name: str | None, session_id: str | None, time: int | None, dialect: Dialect
) -> tuple[Fact, ...]:
    if name is None:
        raise UnreadableEventError(Reason.NO_EVENT)
    reader = dialect.readers.get(name)
    if reader is None:
        raise UnreadableEventError(_noise_reason(name, dialect.noise) or Reason.UNKNOWN_EVENT)
    if session_id is None:
        raise UnreadableEventError(Reason.NO_SESSION)
    data = fields.get(dialect.data_key)
    one = json_document.as_object(data)
    items = (one,) if one is not None else json_document.objects(data) if dialect.has_lists else ()
    if not items:
        raise UnreadableEventError(Reason.UNKNOWN_SHAPE)
    return reader(Event(name, session_id, items, time, fields))


def _noise_reason(name: str, noise: Mapping[str, Reason]) -> Reason | None:
    return noise.get(name) or noise.get(name.partition(".")[0] + ".")
