"""Some gateways report our own reactions as those of a member with our number."""

import pytest

from store.model.facts import Fact, LidAlias, Reaction, SessionReport
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of, message_fact

OURS, OUR_LID = "919880000001", "200000000000099@lid"
ASHA, LID, GROUP = world.ASHA, world.LID_OF_ASHA, world.GROUP


def reactions(memory: HistoryDatabase) -> list[tuple[str, str, str | None]]:
    return [(each["emoji"], each["direction"], each["sender"]) for each in folding.shown_reactions(memory)]


@pytest.mark.parametrize("reactor", [OURS, OUR_LID])
def test_a_reaction_of_our_number_is_ours_and_counts_once(history_database: HistoryDatabase, reactor: str) -> None:
    """This applies whenever our number becomes known, and if another gateway reports the reaction as ours."""
    number: list[Fact] = [SessionReport("connected", OURS, BASE_TIME), LidAlias(OUR_LID, OURS, BASE_TIME)]
    events = (
        event_of(message_fact(address=GROUP, sender=ASHA)),
        event_of(*number),
        event_of(Reaction("A", GROUP, "incoming", reactor, "👍", BASE_TIME + 1)),
        event_of(Reaction("A", GROUP, "outgoing", None, "👍", BASE_TIME + 2)),
    )

    folding.assert_order_independent(history_database, *events)
    assert reactions(history_database) == [("👍", "outgoing", None)]


@pytest.mark.parametrize(("reactor", "direction"), [(OURS, "outgoing"), (ASHA, "incoming")])
def test_the_author_in_a_chat_with_one_person_is_ours_or_that_person(
    history_database: HistoryDatabase, reactor: str, direction: str
) -> None:
    """A LID and a phone may be one person, and only our number excludes that."""
    events = (
        event_of(message_fact(address=LID)),
        event_of(SessionReport("connected", OURS, BASE_TIME)),
        event_of(Reaction("A", LID, "incoming", reactor, "👍", BASE_TIME + 1)),
    )

    folding.assert_order_independent(history_database, *events)
    assert reactions(history_database) == [("👍", direction, None)]
