"""Collects the metrics that SlowMetrics read last. A value that could not be read is absent."""

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from store.ledger import open_questions
from store.ledger.batch_counts import OUTCOME_COLUMNS
from store.ledger.ledger import Ledger


class SnapshotCollector(Collector):
    """The values that SlowMetrics has read last. A scrape queries neither PostgreSQL nor Redis."""

    def __init__(self) -> None:
        self.ledger: Ledger | None = None
        self.last_event_at: Mapping[str, int] = {}
        self.redis_settings: Mapping[str, bool] = {}

    def collect(self) -> Iterator[Metric]:
        if self.ledger is not None:
            yield from _ledger_metrics(self.ledger)
        last = GaugeMetricFamily(
            "sak_session_last_event_timestamp_seconds", "Time of a session's last event.", labels=["session"]
        )
        for session, at in self.last_event_at.items():
            last.add_metric([session], at / 1000)
        yield last
        durable = GaugeMetricFamily(
            "sak_redis_setting_durable", "1 if the setting keeps acknowledged events.", labels=["setting"]
        )
        for name, is_durable in self.redis_settings.items():
            durable.add_metric([name.removeprefix("redis.")], is_durable)
        yield durable


def _ledger_metrics(ledger: Ledger) -> Iterator[Metric]:
    yield GaugeMetricFamily("sak_ledger_received_events", "Events acknowledged so far.", ledger.received)
    family = GaugeMetricFamily("sak_ledger_events", "Events in the ledger, by outcome.", labels=["outcome"])
    for outcome in OUTCOME_COLUMNS:
        family.add_metric([outcome], getattr(ledger, outcome))
    yield family
    lost = sum(gap.events for gap in ledger.lost)
    yield GaugeMetricFamily("sak_ledger_lost_events", "Acknowledged events that are lost.", lost)
    yield GaugeMetricFamily(
        "sak_ledger_written_off_events", "Lost events whose loss a person accepted.", ledger.written_off
    )
    unknown = GaugeMetricFamily(
        "sak_ledger_unknown", "Places that may hold acknowledged events and did not answer.", labels=["kind"]
    )
    for kind in get_args(open_questions.Kind):
        unknown.add_metric([kind], sum(question.kind == kind for question in ledger.unknown))
    yield unknown
    if ledger.waiting is not None:
        yield GaugeMetricFamily(
            "sak_ledger_waiting_events", "Acknowledged events that are not in PostgreSQL yet.", ledger.waiting
        )
