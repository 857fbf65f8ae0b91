"""What of new events is not kept, because it concerns somebody who is forgotten; and who proves to be the same person.

An event that was received up to then is not kept at all if its facts concern the person, or if nobody can read it and
it has the person's number in it. One of somebody else that mentions the number is folded, and its body is not kept.
What was received later is a new history, but for copies of messages that were erased.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure.suppressions import Forget, Known
from store.history.parsed_events import Telling
from store.model.batches import Batch, Event
from store.model.facts import Ack, Alias, Delete, Edit, Fact, Message, Name, Outcome, Reaction
from store.postgres.connections import Connection

_NUMBERS = re.compile(
    rb"(?<![0-9])(?:00)?([1-9][0-9]{4,31}(?:-[0-9]{1,32})?)(?![0-9])(?=(?:@(g\.us|newsletter|broadcast))?)"
)
"""Numbers as they stand in a body that nobody reads, and what they are said to be where that is no person."""
_MOST = 500
"""So many numbers of a body are looked up; none that a gateway sends has as many."""
_PEOPLE = ("", "@lid")


@dataclass(frozen=True, slots=True)
class Sifted:
    batches: Sequence[Batch]
    """With what is forgotten counted as that, and saying nothing."""
    bodyless: frozenset[bytes]
    """Digests of events that are folded and whose bodies are not kept."""
    same: Sequence[Forget]
    """Other addresses of people who are forgotten."""


def sift(connection: Connection, known: Known, batches: Sequence[Batch]) -> Sifted:
    """Tell what is forgotten of these batches."""
    events = [event for batch in batches for event in batch.events]
    gone = {event.digest for event in events if is_forgotten(known, event.outcome, event.received_at, event.body)}
    gone |= _copies(connection, known, [event for event in events if event.digest not in gone])
    bodyless = {
        event.digest
        for event in events
        if event.digest not in gone and event.received_at <= known.last and _mentions(known, event)
    }
    return Sifted(
        [replace(b, events=tuple(_forgotten(e) if e.digest in gone else e for e in b.events)) for b in batches],
        frozenset(bodyless),
        _same(known, events),
    )


def is_forgotten(known: Known, outcome: Outcome, received_at: int, body: bytes) -> bool:
    """Whether an event that was received then is not to be kept."""
    if received_at > known.last:
        return False
    session_id = outcome.session_id
    upto = _latest(known.within(session_id, address) for address in addresses(outcome.facts))
    if upto is None and not outcome.facts and outcome.kind != "ping":
        upto = _mentioned(known, session_id, body)
    return upto is not None and received_at <= upto


def addresses(facts: Iterable[Fact]) -> set[str]:
    """Everybody whom these facts concern."""
    found: set[str] = set()
    for fact in facts:
        if isinstance(fact, Alias):
            found |= {fact.lid, fact.phone}
        elif isinstance(fact, (Message, Edit, Delete, Reaction)):
            found |= {fact.address} if fact.sender is None else {fact.address, fact.sender}
        elif isinstance(fact, (Ack, Name)) and fact.address is not None:
            found.add(fact.address)
    return found


def named(body: bytes) -> set[str]:
    """Whom a body may name that nobody reads: its numbers, as a phone and as a LID where nothing else is said."""
    found = dict.fromkeys((each[1].decode(), (each[2] or b"").decode()) for each in _NUMBERS.finditer(body))
    return {number + kind for number, server in list(found)[:_MOST] for kind in ([f"@{server}"] if server else _PEOPLE)}


def _forgotten(event: Event) -> Event:
    outcome = event.outcome
    return replace(event, outcome=Outcome("forgotten", None, outcome.session_id, outcome.event, None))


def _copies(connection: Connection, known: Known, events: Sequence[Event]) -> set[bytes]:
    """Those that tell of messages which were erased."""
    named: dict[bytes, set[bytes]] = {}
    for event in events:
        session_id = event.outcome.session_id
        if session_id is None or not _is_known(known, event):
            continue
        telling = Telling(event.digest, event.received_at, event.index, session_id, event.outcome.facts)
        for fact, (_, message_id) in telling.about_messages():
            if isinstance(fact, Reaction):
                continue
            # Under any address: a copy may be what proves that two are one person's.
            for address in addresses(event.outcome.facts):
                mac = known.key.of_message(session_id, address, message_id)
                named.setdefault(mac, set()).add(event.digest)
    if not named:
        return set()
    found = connection.execute(
        "SELECT f.mac FROM forgotten_messages AS f WHERE f.mac = ANY(%s)", [list(named)], binary=True
    )
    return {digest for (mac,) in found for digest in named[cast("bytes", mac)]}


def _is_known(known: Known, event: Event) -> bool:
    """Whether it concerns anybody who was ever forgotten."""
    return any(known.within(event.outcome.session_id, one) is not None for one in addresses(event.outcome.facts))


def _mentions(known: Known, event: Event) -> bool:
    upto = _mentioned(known, event.outcome.session_id, event.body)
    return upto is not None and event.received_at <= upto


def _mentioned(known: Known, session_id: str | None, body: bytes) -> int | None:
    """Up to when anybody is forgotten whose number stands in the body."""
    return _latest(known.within(session_id, address) for address in named(body))


def _latest(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def _same(known: Known, events: Collection[Event]) -> list[Forget]:
    """The other address of whoever is forgotten by one, as any of these events proves it."""
    found: dict[tuple[str | None, str], int] = {}
    for session_id, alias in {
        (event.outcome.session_id, fact) for event in events for fact in event.outcome.facts if isinstance(fact, Alias)
    }:
        for scope in (None, session_id):
            pair = {address: known.of(scope, address) for address in (alias.lid, alias.phone)}
            upto = _latest(pair.values())
            for address, so_far in pair.items():
                if upto is not None and (so_far is None or so_far < upto):
                    found[scope, address] = max(upto, found.get((scope, address), upto))
    return [Forget(scope, address, upto) for (scope, address), upto in found.items()]
