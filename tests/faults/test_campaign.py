"""Everything at once, by chance, from a seed that is printed."""

import random

import pytest

from dev.chaos import campaign


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_minute_of_faults_at_five_hundred_events_a_second_loses_doubles_and_refuses_nothing() -> None:
    """Promises 1, 2 and 4 under whatever comes to the dice: what no list of cases foresees."""
    seed = random.randrange(1 << 24)
    outcome = campaign.Campaign(minutes=1, seed=seed, rate=500).run(print)

    assert outcome.injected.total() > 10
    assert outcome.clean, campaign.table(outcome)


def test_the_table_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A campaign that fails at night must tell by its output alone what to look for."""
    outcome = campaign.Campaign(minutes=0.05, seed=1, rate=50, workers=1).run(print)
    outcome.record.refused[503] += 2

    assert not outcome.clean
    assert "2 answers with status 503" in campaign.table(outcome)
    assert "acknowledged so far" in capsys.readouterr().out
