"""What the survey saw last, for Prometheus: nothing is shown of what nobody knows."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from store.ledger.batch_counts import OUTCOME_COLUMNS
from store.ledger.ledger import Ledger


class SnapshotCollector(Collector):
    """Asked for, it reads three attributes: neither PostgreSQL nor Redis hears of a scrape."""

    def __init__(self) -> None:
        self.ledger: Ledger | None = None
        self.last_event_at: Mapping[str, int] = {}
        self.redis_settings: Mapping[str, bool] = {}

    def collect(self) -> Iterator[Metric]:
        if self.ledger is not None:
            yield from _ledger_metrics(self.ledger)
        last = GaugeMetricFamily(
            "sak_session_last_event_timestamp_seconds", "When a session last told anything.", labels=["session"]
        )
        for session, at in self.last_event_at.items():
            last.add_metric([session], at / 1000)
        yield last
        safe = GaugeMetricFamily("sak_redis_setting_durable", "1 if Redis keeps what it is given.", labels=["setting"])
        for name, is_safe in self.redis_settings.items():
            safe.add_metric([name.removeprefix("redis.")], is_safe)
        yield safe


def _ledger_metrics(ledger: Ledger) -> Iterator[Metric]:
    yield GaugeMetricFamily("sak_ledger_received_events", "Events that were ever acknowledged.", ledger.received)
    family = GaugeMetricFamily("sak_ledger_events", "Events in the ledger, by what became of them.", labels=["outcome"])
    for outcome in OUTCOME_COLUMNS:
        family.add_metric([outcome], getattr(ledger, outcome))
    yield family
    lost = sum(gap.events for gap in ledger.lost)
    yield GaugeMetricFamily("sak_ledger_lost_events", "Acknowledged events that are nowhere.", lost)
    if ledger.waiting is not None:
        yield GaugeMetricFamily("sak_ledger_waiting_events", "Acknowledged events on their way.", ledger.waiting)
