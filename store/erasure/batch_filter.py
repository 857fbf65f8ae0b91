"""Drops facts and events about erased people from batches, and learns further addresses of these people.

For an event that was received before the erasure, the facts about an erased person are dropped. The whole event is
dropped if nothing is left, or if it has no facts and its body contains the person's number. If the body of another
person's event contains the number, or the event is also about the erased person, the event is folded but its body is
not stored. Events received after the erasure start a new history, except for copies of erased messages.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure import mentions, personal_facts
from store.erasure.personal_facts import EventPeople, SessionFact
from store.erasure.suppressions import Suppression, SuppressionSet, latest_time, scopes_of
from store.history.events import parsed_events
from store.history.events.parsed_events import ParsedEvent
from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.model.batches import Batch, Event
from store.model.facts import Fact, LidAlias, Outcome, Reaction
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class FilteredBatches:
    batches: Sequence[Batch]
    """The batches. Dropped events have the outcome `forgotten` and no facts."""
    digests_without_body: frozenset[bytes]
    """Digests of events that are folded but whose bodies are not stored."""
    aliases: Sequence[Suppression]
    """Further addresses of erased people."""


def filter_batches(connection: Connection, suppressions: SuppressionSet, batches: Sequence[Batch]) -> FilteredBatches:
    """Return the batches without facts about erased people, and the addresses of these people that they reveal."""
    known_accounts = accounts.lock(connection)
    events = [event for batch in batches for event in batch.events]
    dropped = {
        event.digest
        for event in events
        if _only_mentions_suppressed(suppressions, event.outcome, event.received_at, event.body, known_accounts)
    }
    # The same facts are dropped from all copies of an event.
    erased = _erased_copies(connection, suppressions, events, known_accounts)
    for event in events:
        if found := personal_facts.suppressed(suppressions, event.outcome, event.received_at, known_accounts):
            erased[event.digest] |= found

    def filtered(event: Event) -> Event:
        if event.digest in dropped:
            return replace(event, outcome=personal_facts.forgotten(event.outcome))
        if event.digest in erased:
            return replace(event, outcome=personal_facts.without(event.outcome, erased[event.digest]))
        return event

    allowed = [replace(batch, events=tuple(map(filtered, batch.events))) for batch in batches]
    without_body = frozenset(
        event.digest
        for batch in allowed
        for event in batch.events
        if event.outcome.kind != "forgotten"
        and (
            event.digest in erased
            or _mentions_suppressed(suppressions, event.outcome, event.received_at, event.body, known_accounts)
        )
    )
    return FilteredBatches(allowed, without_body, _aliases_of_suppressed(suppressions, events, known_accounts))


def without_suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> Outcome:
    """Return the part of an event received at this time (in ms) that may be stored; `forgotten` if there is none."""
    if _only_mentions_suppressed(suppressions, outcome, received_at, body, known_accounts):
        return personal_facts.forgotten(outcome)
    return personal_facts.without(
        outcome, personal_facts.suppressed(suppressions, outcome, received_at, known_accounts)
    )


def _erased_copies(
    connection: Connection, suppressions: SuppressionSet, events: Sequence[Event], known_accounts: Accounts
) -> defaultdict[bytes, set[SessionFact]]:
    """Return, by digest, facts about erased messages and about their people. Tombstones identify the messages."""
    facts_by_mac: defaultdict[bytes, list[tuple[ParsedEvent, Fact, Collection[str]]]] = defaultdict(list)
    for parsed in (
        parsed
        for event in events
        for parsed in parsed_events.of_outcome(event.outcome, event.digest, event.received_at, event.order)
    ):
        addresses = personal_facts.concerned_addresses(parsed.facts)
        if suppressions.latest_of(scopes_of(known_accounts, parsed.session_id), addresses) is None:
            continue
        session_ids, event_people = known_accounts.sessions_of(parsed.session_id), EventPeople(parsed.facts)
        for fact, (_, message_id) in parsed.keyed_message_facts(known_accounts):
            if isinstance(fact, Reaction):
                continue
            # If the event does not name the person, all its addresses count. The event may be the first that maps two
            # addresses to each other.
            people = event_people.of(fact) or addresses
            for session_id, address in itertools.product(session_ids, people):
                mac = suppressions.key.hash_message(session_id, address, message_id)
                facts_by_mac[mac].append((parsed, fact, people))
    erased: defaultdict[bytes, set[SessionFact]] = defaultdict(set)
    if facts_by_mac:
        cursor = connection.execute(
            "SELECT t.mac FROM erased_message_tombstones AS t WHERE t.mac = ANY(%s)", [list(facts_by_mac)], binary=True
        )
        for parsed, fact, people in (each for (mac,) in cursor for each in facts_by_mac[cast("bytes", mac)]):
            found = {fact, *personal_facts.evidence(people, parsed.facts)}
            erased[parsed.digest] |= {(parsed.session_id, each) for each in found}
    return erased


def _only_mentions_suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> bool:
    """Return whether an event that is no ping has no facts, and its body mentions a suppressed person."""
    return (
        not outcome.all_facts
        and outcome.kind != "ping"
        and _mentions_suppressed(suppressions, outcome, received_at, body, known_accounts)
    )


def _mentions_suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> bool:
    """Return whether the body mentions a person whose suppression covers the event."""
    if received_at > suppressions.latest_received_until:
        return False
    scopes = {scope for each in outcome.by_session for scope in scopes_of(known_accounts, each.session_id)}
    return suppressions.covers(scopes or {None}, mentions.addresses_in(body), received_at)


def _aliases_of_suppressed(
    suppressions: SuppressionSet, events: Collection[Event], known_accounts: Accounts
) -> list[Suppression]:
    """Return the other address of each suppressed LID or phone, according to the evidence in these events."""
    latest: dict[tuple[str | None, str], int] = {}
    for session_id, alias in {
        (each.session_id, fact)
        for event in events
        for each in event.outcome.by_session
        for fact in each.facts
        if isinstance(fact, LidAlias)
    }:
        for scope in scopes_of(known_accounts, session_id):
            pair = {each: suppressions.received_until_in_scope(scope, each) for each in (alias.lid, alias.phone)}
            received_until = latest_time(pair.values())
            for address, current in pair.items():
                if received_until is not None and (current is None or current < received_until):
                    latest[scope, address] = max(received_until, latest.get((scope, address), received_until))
    return [Suppression(scope, address, received_until) for (scope, address), received_until in latest.items()]
