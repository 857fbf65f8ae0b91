"""Separates the facts about erased people from the other facts of an event.

One body may be about many people, such as a batch from Meta or a list of contacts. Only the part about an erased person
is dropped.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeAlias

from store.erasure.suppressions import SuppressionSet, scopes_of
from store.history.events.parsed_events import MESSAGE_FACTS
from store.history.sessions.accounts import Accounts
from store.model import addresses
from store.model.facts import (
    Ack,
    Delete,
    DisplayName,
    Edit,
    Fact,
    LidAlias,
    Message,
    Outcome,
    Reaction,
    SessionFacts,
    SessionReport,
)

SessionFact: TypeAlias = tuple[str, Fact]
"""(session_id, fact)"""


def concerned_addresses(facts: Iterable[Fact]) -> set[str]:
    """Return the addresses of the chats and people that these facts are about."""
    concerned: set[str] = set()
    for fact in facts:
        if isinstance(fact, LidAlias):
            concerned |= {fact.lid, fact.phone}
        elif isinstance(fact, (Message, Edit, Delete, Reaction)):
            concerned |= {address for address in (fact.address, fact.sender) if address is not None}
        elif isinstance(fact, (Ack, DisplayName)) and fact.address is not None:
            concerned.add(fact.address)
    return concerned


def suppressed(
    suppressions: SuppressionSet, outcome: Outcome, received_at: int, known_accounts: Accounts
) -> set[SessionFact]:
    """Return the facts about people whose suppression covers this time of receipt, in ms."""
    if received_at > suppressions.latest_received_until:
        return set()
    found: set[SessionFact] = set()
    for each in outcome.by_session:
        scopes = scopes_of(known_accounts, each.session_id)
        if suppressions.covers(scopes, concerned_addresses(each.facts), received_at):
            people = EventPeople(each.facts)
            covered = (fact for fact in each.facts if suppressions.covers(scopes, people.of(fact), received_at))
            found |= {(each.session_id, fact) for fact in covered}
    return found


class EventPeople:
    """The people of one event, each with all addresses that the event maps to each other."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._linked: dict[str, frozenset[str]] = {}
        for fact in facts:
            if isinstance(fact, LidAlias):
                linked = self._with_linked({fact.lid, fact.phone})
                self._linked |= dict.fromkeys(linked, linked)

    def of(self, fact: Fact) -> frozenset[str]:
        """Return the addresses of the chat and of the people that the fact is about."""
        return self._with_linked(concerned_addresses([fact]))

    def _with_linked(self, people: Collection[str]) -> frozenset[str]:
        return frozenset(people).union(*(self._linked.get(address, ()) for address in people))


def evidence(people: Collection[str], facts: Iterable[Fact]) -> set[Fact]:
    """Return the facts with names or aliases of these people."""
    return {
        fact
        for fact in facts
        if isinstance(fact, (DisplayName, LidAlias)) and not concerned_addresses([fact]).isdisjoint(people)
    }


def without(outcome: Outcome, erased: Collection[SessionFact]) -> Outcome:
    """Return the outcome without these facts.

    It is `forgotten` if nothing is left: no message if messages were dropped, otherwise no fact but session reports.
    Facts that do not identify their person are dropped as well, because they may be about the erased one.
    """
    if not erased:
        return outcome

    def kept(session_id: str | None, facts: Iterable[Fact]) -> tuple[Fact, ...]:
        return tuple(fact for fact in facts if (session_id, fact) not in erased and _identifies_person(fact))

    remaining = replace(
        outcome,
        facts=kept(outcome.session_id, outcome.facts),
        others=tuple(SessionFacts(each.session_id, kept(each.session_id, each.facts)) for each in outcome.others),
    )
    lost_messages = any(isinstance(fact, MESSAGE_FACTS) for _, fact in erased)
    is_left = any(
        isinstance(fact, MESSAGE_FACTS) if lost_messages else not isinstance(fact, SessionReport)
        for fact in remaining.all_facts
    )
    return remaining if is_left else forgotten(outcome)


def _identifies_person(fact: Fact) -> bool:
    """Return whether the fact identifies the person whom it is about."""
    if isinstance(fact, (Message, Edit, Delete, Reaction)):
        is_attributed = fact.direction == "outgoing" or fact.sender is not None
        return fact.address is not None and (is_attributed or addresses.is_individual(fact.address))
    return not isinstance(fact, Ack) or fact.address is not None


def forgotten(outcome: Outcome) -> Outcome:
    """Return the outcome of an event from which nothing is stored."""
    return Outcome("forgotten", None, outcome.session_id, outcome.event_type, None)
