"""Drops what batches tell of erased people and learns their aliases.

Of an event that was received before the erasure, the facts that concern an erased person are dropped, and the event if
nothing is left; so is one that has no facts and whose body contains the person's number. An event of another person
that contains the number, or that tells of the person as well, is folded without its body. Events that were received
later are a new history, except for copies of erased messages.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure import mentions, personal_facts
from store.erasure.personal_facts import EventPeople, ToldFact
from store.erasure.suppressions import Suppression, SuppressionSet, latest_time, scopes_of
from store.history import accounts, parsed_events
from store.history.accounts import Accounts
from store.history.parsed_events import ParsedEvent
from store.model.batches import Batch, Event
from store.model.facts import Fact, LidAlias, Outcome, Reaction
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class FilteredBatches:
    batches: Sequence[Batch]
    """The batches; their dropped events have the outcome `forgotten` and no facts."""
    digests_without_body: frozenset[bytes]
    """Digests of events that are folded and whose bodies are not stored."""
    aliases: Sequence[Suppression]
    """Further addresses of erased people."""


def filter_batches(connection: Connection, suppressions: SuppressionSet, batches: Sequence[Batch]) -> FilteredBatches:
    known_accounts = accounts.lock(connection)
    events = [event for batch in batches for event in batch.events]
    dropped = {
        event.digest
        for event in events
        if _is_unreadable_mention(suppressions, event.outcome, event.received_at, event.body, known_accounts)
    }
    # Of all copies of an event, the same facts.
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
    """What may be stored of an event that was received at this time, in ms; `forgotten` if nothing."""
    if _is_unreadable_mention(suppressions, outcome, received_at, body, known_accounts):
        return personal_facts.forgotten(outcome)
    return personal_facts.without(
        outcome, personal_facts.suppressed(suppressions, outcome, received_at, known_accounts)
    )


def _erased_copies(
    connection: Connection, suppressions: SuppressionSet, events: Sequence[Event], known_accounts: Accounts
) -> defaultdict[bytes, set[ToldFact]]:
    """Per digest, the facts about messages that were erased, found by their tombstones, and about their people."""
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
            # This copy may be the evidence that two addresses belong to one person, or name nobody.
            people = event_people.of(fact) or addresses
            for session_id, address in itertools.product(session_ids, people):
                mac = suppressions.key.hash_message(session_id, address, message_id)
                facts_by_mac[mac].append((parsed, fact, people))
    erased: defaultdict[bytes, set[ToldFact]] = defaultdict(set)
    if facts_by_mac:
        cursor = connection.execute(
            "SELECT t.mac FROM erased_message_tombstones AS t WHERE t.mac = ANY(%s)", [list(facts_by_mac)], binary=True
        )
        for parsed, fact, people in (each for (mac,) in cursor for each in facts_by_mac[cast("bytes", mac)]):
            found = {fact, *personal_facts.evidence(people, parsed.facts)}
            erased[parsed.digest] |= {(parsed.session_id, each) for each in found}
    return erased


def _is_unreadable_mention(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> bool:
    """Whether the event has no facts and its body mentions an erased person."""
    return (
        not outcome.all_facts
        and outcome.kind != "ping"
        and _mentions_suppressed(suppressions, outcome, received_at, body, known_accounts)
    )


def _mentions_suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> bool:
    if received_at > suppressions.latest_received_until:
        return False
    received_until = _latest_mention(suppressions, outcome, body, known_accounts)
    return received_until is not None and received_at <= received_until


def _latest_mention(
    suppressions: SuppressionSet, outcome: Outcome, body: bytes, known_accounts: Accounts
) -> int | None:
    """The latest suppression, in a session of the event, of a person whom its body mentions."""
    mentioned = mentions.addresses_in(body)
    scopes = {scope for each in outcome.by_session for scope in scopes_of(known_accounts, each.session_id)}
    return suppressions.latest_of(scopes or {None}, mentioned)


def _aliases_of_suppressed(
    suppressions: SuppressionSet, events: Collection[Event], known_accounts: Accounts
) -> list[Suppression]:
    """The other address of each suppressed LID or phone, by the evidence in these events."""
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
