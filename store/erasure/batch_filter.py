"""Drops events about erased people from batches and learns their aliases.

An event that was received before the erasure is dropped if its facts concern an erased person, or if it has no facts
and its body contains the person's number. An event of another person that contains the number is folded without its
body. Events that were received later are a new history, except for copies of erased messages.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure import mentions
from store.erasure.suppressions import Suppression, SuppressionSet, latest_time, scopes_of
from store.history import accounts, parsed_events
from store.history.accounts import Accounts
from store.model.batches import Batch, Event
from store.model.facts import Ack, Delete, DisplayName, Edit, Fact, LidAlias, Message, Outcome, Reaction
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
        e.digest for e in events if is_suppressed(suppressions, e.outcome, e.received_at, e.body, known_accounts)
    }
    remaining = [event for event in events if event.digest not in dropped]
    dropped |= _erased_copies(connection, suppressions, remaining, known_accounts)
    without_body = frozenset(
        event.digest
        for event in events
        if event.digest not in dropped
        and event.received_at <= suppressions.latest_received_until
        and _mentions_suppressed(suppressions, event, known_accounts)
    )

    def without_dropped_facts(batch: Batch) -> Batch:
        return replace(batch, events=tuple(_drop_facts(e) if e.digest in dropped else e for e in batch.events))

    return FilteredBatches(
        [without_dropped_facts(batch) for batch in batches],
        without_body,
        _aliases_of_suppressed(suppressions, events, known_accounts),
    )


def is_suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, body: bytes, known_accounts: Accounts
) -> bool:
    """Return whether an event that was received at this time, in ms, must not be stored.

    A person who is erased in one session of an account is erased in all of them.
    """
    if received_at > suppressions.latest_received_until:
        return False
    received_until = latest_time(
        suppressions.latest_of(scopes_of(known_accounts, each.session_id), affected_addresses(each.facts))
        for each in outcome.by_session
    )
    if received_until is None and not outcome.facts and outcome.kind != "ping":
        received_until = _latest_mention(suppressions, outcome, body, known_accounts)
    return received_until is not None and received_at <= received_until


def affected_addresses(facts: Iterable[Fact]) -> set[str]:
    """The chats and people that these facts concern."""
    addresses: set[str] = set()
    for fact in facts:
        if isinstance(fact, LidAlias):
            addresses |= {fact.lid, fact.phone}
        elif isinstance(fact, (Message, Edit, Delete, Reaction)):
            addresses |= {address for address in (fact.address, fact.sender) if address is not None}
        elif isinstance(fact, (Ack, DisplayName)) and fact.address is not None:
            addresses.add(fact.address)
    return addresses


def _drop_facts(event: Event) -> Event:
    outcome = event.outcome
    return replace(event, outcome=Outcome("forgotten", None, outcome.session_id, outcome.event_type, None))


def _erased_copies(
    connection: Connection, suppressions: SuppressionSet, events: Sequence[Event], known_accounts: Accounts
) -> set[bytes]:
    """The digests of events about messages that were erased, found by their tombstones."""
    digests_by_mac: dict[bytes, set[bytes]] = {}
    for parsed in (
        parsed
        for event in events
        for parsed in parsed_events.of_outcome(event.outcome, event.digest, event.received_at, event.order)
    ):
        session_ids, addresses = known_accounts.sessions_of(parsed.session_id), affected_addresses(parsed.facts)
        if suppressions.latest_of(scopes_of(known_accounts, parsed.session_id), addresses) is None:
            continue
        for fact, (_, message_id) in parsed.keyed_message_facts(known_accounts):
            if isinstance(fact, Reaction):
                continue
            # Any address of the event: this copy may be the evidence that two addresses belong to one person.
            for session_id, address in itertools.product(session_ids, addresses):
                mac = suppressions.key.hash_message(session_id, address, message_id)
                digests_by_mac.setdefault(mac, set()).add(parsed.digest)
    if not digests_by_mac:
        return set()
    cursor = connection.execute(
        "SELECT t.mac FROM erased_message_tombstones AS t WHERE t.mac = ANY(%s)", [list(digests_by_mac)], binary=True
    )
    return {digest for (mac,) in cursor for digest in digests_by_mac[cast("bytes", mac)]}


def _mentions_suppressed(suppressions: SuppressionSet, event: Event, known_accounts: Accounts) -> bool:
    received_until = _latest_mention(suppressions, event.outcome, event.body, known_accounts)
    return received_until is not None and event.received_at <= received_until


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
