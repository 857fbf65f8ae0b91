"""Anybody in any history is forgotten, in the middle of it: groups, LIDs, acks of several, the same id in two chats."""

import pytest

from tests.support.erasure_scenario import House
from tests.support.generated_history import batches as generated_history_batches

EVENTS = 240


@pytest.mark.parametrize(
    "seed", [2, 4, 27, 31, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(40, 70))]
)
def test_anybody_is_forgotten_and_everything_else_still_adds_up(house: House, seed: int) -> None:
    """Where the store takes something of the person's for somebody else's, or the other way round, a replay differs."""
    batches = list(generated_history_batches.told(EVENTS, seed=seed))
    before, after = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    house.drain(before)
    house.received = sum(len(batch.bodies) for batch in before)
    counted = house.counted()
    known = house.rows("SELECT DISTINCT address FROM chats WHERE kind IN ('phone', 'lid') ORDER BY address")
    person = house.record(str(known[seed * 7 % len(known)][0]))

    house.erase()
    assert house.counted() == counted
    assert house.replay(dry=True) == {}
    # All of it was acknowledged before.
    house.drain(after)
    house.erase()

    house.received = sum(len(batch.bodies) for batch in batches)
    house.counted()
    assert known_and_forgotten(house) == []
    assert house.replay(dry=True) == {}
    # A newsletter may have the digits of a phone: those are not the person's.
    others = {str(address).partition("@")[0] for (address,) in house.rows("SELECT address FROM chats")}
    assert house.holds(*{address.partition("@")[0] for address in person.addresses} - others) == []


def known_and_forgotten(house: House) -> list[str]:
    """The addresses that the history still has although they are forgotten: by now more than those that were told."""
    key, forgotten = house.keeping.find(), house.keeping.noted()
    assert key is not None
    found = house.rows(
        """
        SELECT address FROM chats
        UNION SELECT sender FROM whatsapp_messages UNION SELECT sender FROM marks
        UNION SELECT lid FROM aliases UNION SELECT phone FROM aliases
        """
    )
    return [str(address) for (address,) in found if address and key.of_address(None, str(address)) in forgotten]
