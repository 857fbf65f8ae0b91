"""What of new events is not kept, because it concerns somebody who is forgotten; and who proves to be the same person.

An event that was received up to then is not kept at all if its facts concern the person, or if nobody can read it and
it has the person's number in it. One of somebody else that mentions the number is folded, and its body is not kept.
What was received later is a new history, but for copies of messages that were erased.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure.suppressions import Suppression, SuppressionSet
from store.history.parsed_events import ParsedEvent
from store.model.batches import Batch, Event
from store.model.facts import Ack, Delete, DisplayName, Edit, Fact, LidAlias, Message, Outcome, Reaction
from store.postgres.connections import Connection

_NUMBER_PATTERN = re.compile(
    rb"(?<![0-9])(?:00)?([1-9][0-9]{4,31}(?:-[0-9]{1,32})?)(?![0-9])(?=(?:@(g\.us|newsletter|broadcast))?)"
)
"""Numbers as they stand in a body that nobody reads, and what they are said to be where that is no person."""
_MAX_NUMBERS = 500
"""So many numbers of a body are looked up; none that a gateway sends has as many."""
_PERSON_SUFFIXES = ("", "@lid")


@dataclass(frozen=True, slots=True)
class FilteredBatches:
    batches: Sequence[Batch]
    """With what is forgotten counted as that, and saying nothing."""
    digests_without_body: frozenset[bytes]
    """Digests of events that are folded and whose bodies are not kept."""
    aliases: Sequence[Suppression]
    """Other addresses of people who are forgotten."""


def filter_batches(connection: Connection, suppressions: SuppressionSet, batches: Sequence[Batch]) -> FilteredBatches:
    """Tell what is forgotten of these batches."""
    events = [event for batch in batches for event in batch.events]
    gone = {
        event.digest for event in events if is_suppressed(suppressions, event.outcome, event.received_at, event.body)
    }
    gone |= _copies_of_erased_messages(
        connection, suppressions, [event for event in events if event.digest not in gone]
    )
    bodyless = {
        event.digest
        for event in events
        if event.digest not in gone
        and event.received_at <= suppressions.latest_received_until
        and _mentions_suppressed(suppressions, event)
    }
    return FilteredBatches(
        [replace(b, events=tuple(_suppressed_event(e) if e.digest in gone else e for e in b.events)) for b in batches],
        frozenset(bodyless),
        _aliases_of_suppressed(suppressions, events),
    )


def is_suppressed(suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes) -> bool:
    """Whether an event that was received then is not to be kept."""
    if received_at > suppressions.latest_received_until:
        return False
    session_id = outcome.session_id
    upto = _latest_time(
        suppressions.received_until(session_id, address) for address in affected_addresses(outcome.facts)
    )
    if upto is None and not outcome.facts and outcome.kind != "ping":
        upto = _mentioned_received_until(suppressions, session_id, body)
    return upto is not None and received_at <= upto


def affected_addresses(facts: Iterable[Fact]) -> set[str]:
    """Everybody whom these facts concern."""
    found: set[str] = set()
    for fact in facts:
        if isinstance(fact, LidAlias):
            found |= {fact.lid, fact.phone}
        elif isinstance(fact, (Message, Edit, Delete, Reaction)):
            found |= {fact.address} if fact.sender is None else {fact.address, fact.sender}
        elif isinstance(fact, (Ack, DisplayName)) and fact.address is not None:
            found.add(fact.address)
    return found


def addresses_in_body(body: bytes) -> set[str]:
    """Whom a body may name that nobody reads: its numbers, as a phone and as a LID where nothing else is said."""
    found = dict.fromkeys((each[1].decode(), (each[2] or b"").decode()) for each in _NUMBER_PATTERN.finditer(body))
    return {
        number + kind
        for number, server in list(found)[:_MAX_NUMBERS]
        for kind in ([f"@{server}"] if server else _PERSON_SUFFIXES)
    }


def _suppressed_event(event: Event) -> Event:
    outcome = event.outcome
    return replace(event, outcome=Outcome("forgotten", None, outcome.session_id, outcome.event_type, None))


def _copies_of_erased_messages(
    connection: Connection, suppressions: SuppressionSet, events: Sequence[Event]
) -> set[bytes]:
    """Those that tell of messages which were erased."""
    named: dict[bytes, set[bytes]] = {}
    for event in events:
        session_id = event.outcome.session_id
        if session_id is None or not _concerns_suppressed(suppressions, event):
            continue
        telling = ParsedEvent(event.digest, event.received_at, event.batch_index, session_id, event.outcome.facts)
        for fact, (_, message_id) in telling.keyed_message_facts():
            if isinstance(fact, Reaction):
                continue
            # Under any address: a copy may be what proves that two are one person's.
            for address in affected_addresses(event.outcome.facts):
                mac = suppressions.key.hash_message(session_id, address, message_id)
                named.setdefault(mac, set()).add(event.digest)
    if not named:
        return set()
    found = connection.execute(
        "SELECT f.mac FROM erased_message_tombstones AS f WHERE f.mac = ANY(%s)", [list(named)], binary=True
    )
    return {digest for (mac,) in found for digest in named[cast("bytes", mac)]}


def _concerns_suppressed(suppressions: SuppressionSet, event: Event) -> bool:
    """Whether it concerns anybody who was ever forgotten."""
    return any(
        suppressions.received_until(event.outcome.session_id, one) is not None
        for one in affected_addresses(event.outcome.facts)
    )


def _mentions_suppressed(suppressions: SuppressionSet, event: Event) -> bool:
    upto = _mentioned_received_until(suppressions, event.outcome.session_id, event.body)
    return upto is not None and event.received_at <= upto


def _mentioned_received_until(suppressions: SuppressionSet, session_id: str | None, body: bytes) -> int | None:
    """Up to when anybody is forgotten whose number stands in the body."""
    return _latest_time(suppressions.received_until(session_id, address) for address in addresses_in_body(body))


def _latest_time(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def _aliases_of_suppressed(suppressions: SuppressionSet, events: Collection[Event]) -> list[Suppression]:
    """The other address of whoever is forgotten by one, as any of these events proves it."""
    found: dict[tuple[str | None, str], int] = {}
    for session_id, alias in {
        (event.outcome.session_id, fact)
        for event in events
        for fact in event.outcome.facts
        if isinstance(fact, LidAlias)
    }:
        for scope in (None, session_id):
            pair = {
                address: suppressions.received_until_in_scope(scope, address) for address in (alias.lid, alias.phone)
            }
            upto = _latest_time(pair.values())
            for address, so_far in pair.items():
                if upto is not None and (so_far is None or so_far < upto):
                    found[scope, address] = max(upto, found.get((scope, address), upto))
    return [Suppression(scope, address, upto) for (scope, address), upto in found.items()]
