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
    """Tests promises 1, 2 and 4 under random combinations of faults."""
    seed = random.randrange(1 << 24)
    outcome = campaign.Campaign(minutes=1, seed=seed, rate=500).run(print)

    assert outcome.injected_faults.total() > 10
    assert outcome.is_clean, campaign.format_report(outcome)


def test_the_report_names_each_kind_of_damage() -> None:
    """The output of a campaign that failed at night must be sufficient to find the cause."""
    verdict = Verdict(
        stored_events=5,
        missing_events=1,
        duplicate_rows=2,
        unexpected_events=3,
        wrong_rows=["1 message rows are missing: x"],
        ledger_problems=["7 received"],
    )
    deliveries = DeliveryLog(acknowledged=[b"x"], refused=[b"y"], refusals=['11:12:13 503 {"error": "not_kept"}'])
    outcome = campaign.CampaignResult(
        11, 60.0, Counter({"Redis killed": 4}), deliveries, verdict, "exit 1", {"Redis killed": 1.5}
    )

    report = campaign.format_report(outcome)
    assert not outcome.is_clean
    for words in (
        'answered at 11:12:13 503 {"error": "not_kept"}',
        "1 message rows are missing",
        "7 received",
        "3 events that were never sent",
        "exit 1",
    ):
        assert words in report
    assert re.search(r"Redis killed +4 +1.5 s", report)
    assert re.search(r"missing +1\n", report)
    assert re.search(r"seed +11\n", report)


CLEAN = Verdict(
    stored_events=5, missing_events=0, duplicate_rows=0, unexpected_events=0, wrong_rows=(), ledger_problems=()
)


@pytest.mark.parametrize(
    "verdict",
    [
        replace(CLEAN, missing_events=1),
        replace(CLEAN, duplicate_rows=1),
        replace(CLEAN, unexpected_events=1),
        replace(CLEAN, wrong_rows=["x"]),
        replace(CLEAN, ledger_problems=["x"]),
    ],
    ids=str,
)
def test_a_campaign_with_a_wrong_database_is_not_clean(verdict: Verdict) -> None:
    """A program reads only the exit code, so each kind of damage alone must change it."""
    assert campaign.CampaignResult(11, 60.0, Counter(), DeliveryLog(), CLEAN, "").is_clean

    assert not campaign.CampaignResult(11, 60.0, Counter(), DeliveryLog(), verdict, "").is_clean


@pytest.mark.parametrize(("refused", "ledger_problem"), [([b"x"], ""), ([], "exit 1")])
def test_a_campaign_with_refused_webhooks_or_a_failed_ledger_is_not_clean(
    refused: list[bytes], ledger_problem: str
) -> None:
    deliveries = DeliveryLog(refused=refused)

    assert not campaign.CampaignResult(11, 60.0, Counter(), deliveries, CLEAN, ledger_problem).is_clean
