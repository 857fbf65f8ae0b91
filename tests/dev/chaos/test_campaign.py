"""Everything at once, by chance, from a seed that is printed."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from dev.chaos import campaign
from dev.chaos.verdict import Verdict
from dev.chaos.webhook_sender import DeliveryLog


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_minute_of_faults_at_five_hundred_events_a_second_loses_doubles_and_refuses_nothing() -> None:
    """Promises 1, 2 and 4 under whatever comes to the dice: what no list of cases foresees."""
    seed = random.randrange(1 << 24)
    outcome = campaign.Campaign(minutes=1, seed=seed, rate=500).run(print)

    assert outcome.injected_faults.total() > 10
    assert outcome.is_clean, campaign.format_report(outcome)


def test_the_table_names_what_is_wrong() -> None:
    """A campaign that fails at night must tell by its output alone what to look for."""
    found = Verdict(
        stored_events=5,
        missing_events=1,
        duplicate_rows=2,
        unexpected_events=3,
        wrong_rows=["1 message rows lack: x"],
        ledger_problems=["7 received"],
    )
    record = DeliveryLog(acknowledged=[b"x"], refused=Counter({503: 2}))
    outcome = campaign.CampaignResult(
        11, 60.0, Counter({"Redis killed": 4}), record, found, "exit 1", {"Redis killed": 1.5}
    )

    said = campaign.format_report(outcome)
    assert not outcome.is_clean
    for words in ("2 answers with status 503", "1 message rows lack", "7 received", "3 events that nobody", "exit 1"):
        assert words in said
    assert re.search(r"Redis killed +4 +1.5 s", said)
    assert re.search(r"missing +1\n", said)
    assert re.search(r"seed +11\n", said)


@pytest.mark.parametrize("damage", ["missing", "doubled", "foreign", "wrong", "ledger", "refused", "told"])
def test_nothing_wrong_passes_for_clean(damage: str) -> None:
    """The exit code is what a machine reads: each kind of damage alone must be enough."""
    found = Verdict(
        stored_events=5, missing_events=0, duplicate_rows=0, unexpected_events=0, wrong_rows=(), ledger_problems=()
    )
    outcome = campaign.CampaignResult(11, 60.0, Counter(), DeliveryLog(), found, "")
    assert outcome.is_clean

    if damage == "refused":
        outcome.deliveries.refused[503] = 1
    elif damage == "told":
        outcome.ledger_problem = "exit 1"
    else:
        outcome.verdict = replace(found, **{damage: ["x"] if damage in ("wrong", "ledger") else 1})

    assert not outcome.is_clean
