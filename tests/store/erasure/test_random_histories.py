"""Erases random people from random histories with groups, LIDs, shared acks and equal message ids."""

import pytest

from tests.support.generated_history import batches as generated_history_batches
from tests.support.history.erasure_scenario import ErasureScenario

EVENTS = 240


@pytest.mark.parametrize(
    "seed", [2, 4, 27, 31, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(40, 70))]
)
def test_any_person_can_be_erased_and_the_rest_stays_consistent(erasure_scenario: ErasureScenario, seed: int) -> None:
    """If the store attributed an event to the wrong person, a replay would find differences."""
    batches = list(generated_history_batches.generate_batches(EVENTS, seed=seed))
    before, after = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    erasure_scenario.drain(before)
    erasure_scenario.received = sum(len(batch.bodies) for batch in before)
    counted = erasure_scenario.ledger_counts()
    known = erasure_scenario.fetch_rows(
        "SELECT DISTINCT address FROM chats WHERE kind IN ('phone', 'lid') ORDER BY address"
    )
    person = erasure_scenario.record_request(str(known[seed * 7 % len(known)][0]))

    erasure_scenario.erase()
    assert erasure_scenario.ledger_counts() == counted
    assert erasure_scenario.replay(dry=True) == {}
    # All events were acknowledged before the erasure.
    erasure_scenario.drain(after)
    erasure_scenario.erase()

    erasure_scenario.received = sum(len(batch.bodies) for batch in batches)
    erasure_scenario.ledger_counts()
    assert known_and_forgotten(erasure_scenario) == []
    assert erasure_scenario.replay(dry=True) == {}
    # A newsletter may have the digits of a phone, but these do not belong to the person.
    others = {str(address).partition("@")[0] for (address,) in erasure_scenario.fetch_rows("SELECT address FROM chats")}
    assert erasure_scenario.find_words(*{address.partition("@")[0] for address in person.addresses} - others) == []


def known_and_forgotten(scenario: ErasureScenario) -> list[str]:
    """Return the addresses of erased people that the history still contains."""
    key, forgotten = scenario.key_store.find_key(), scenario.key_store.read_suppressions()
    assert key is not None
    found = scenario.fetch_rows(
        """
        SELECT address FROM chats
        UNION SELECT sender FROM whatsapp_messages UNION SELECT sender FROM message_updates
        UNION SELECT lid FROM lid_aliases UNION SELECT phone FROM lid_aliases
        """
    )
    return [str(address) for (address,) in found if address and key.hash_address(None, str(address)) in forgotten]
