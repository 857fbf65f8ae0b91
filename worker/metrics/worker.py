"""The worker's counters, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.ledger.batch_counts import OUTCOME_COLUMNS
from store.ledger.ledger import Ledger
from store.model.batches import Batch
from worker.metrics.snapshot import SnapshotCollector


class WorkerMetrics:
    """One worker's metrics, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._snapshot = SnapshotCollector()
        self._events = Counter(
            "sak_worker_events",
            "Events written to the ledger, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._batches = Counter("sak_worker_batches", "Batches taken from the stream.", registry=self.registry)
        self._retries = Counter(
            "sak_worker_retries", "Retries after PostgreSQL was away or a lock was held.", registry=self.registry
        )
        self._refused_jobs = Counter(
            "sak_worker_refused_jobs", "Jobs that are not on the allow-list.", registry=self.registry
        )
        self._drain_seconds = Histogram(
            "sak_worker_drain_seconds",
            "Seconds from reading batches to deleting them from the stream.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self._stream_length = Gauge("sak_stream_entries", "Batches in the stream.", registry=self.registry)
        self._stream_age = Gauge(
            "sak_stream_oldest_seconds", "Age of the oldest batch in the stream.", registry=self.registry
        )
        self._feed_lag = Gauge(
            "sak_feed_lag_seconds",
            "Seconds for which a running transaction has hidden the oldest unreadable change from the feed's readers.",
            registry=self.registry,
        )
        self._feed_pruned = Counter(
            "sak_feed_pruned_changes", "Expired changes deleted from the feed.", registry=self.registry
        )
        self._transaction_events = Histogram(
            "sak_worker_transaction_events",
            "Events written in one transaction.",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
            registry=self.registry,
        )
        self._parked = Counter(
            "sak_worker_parked_events",
            "Events parked, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._stream_checked_at = Gauge(
            "sak_worker_stream_checked_timestamp_seconds",
            "Time of this worker's last check of the stream.",
            registry=self.registry,
        )
        self.registry.register(self._snapshot)
        for outcome in OUTCOME_COLUMNS:
            self._events.labels(outcome)

    def record_drain(self, *, entries: int, outcome_counts: Tally[str], seconds: float) -> None:
        self._batches.inc(entries)
        self._drain_seconds.observe(seconds)
        for outcome, number in outcome_counts.items():
            self._events.labels(outcome).inc(number)

    def record_transaction(self, batches: Iterable[Batch]) -> None:
        events = [event for batch in batches for event in batch.events]
        if events:
            self._transaction_events.observe(len(events))
        for event in events:
            if event.outcome.kind == "parked":
                self._parked.labels(event.outcome.reason or "none").inc()

    def record_retry(self) -> None:
        self._retries.inc()

    def record_refused_job(self) -> None:
        self._refused_jobs.inc()

    def set_stream(self, *, length: int, age: float) -> None:
        self._stream_length.set(length)
        self._stream_age.set(age)
        self._stream_checked_at.set_to_current_time()

    def set_feed_lag(self, seconds: float) -> None:
        self._feed_lag.set(seconds)

    def record_pruned(self, changes: int) -> None:
        self._feed_pruned.inc(changes)

    def set_ledger(self, ledger: Ledger) -> None:
        self._snapshot.ledger = ledger

    def set_session_times(self, last_event_at: Mapping[str, int]) -> None:
        self._snapshot.last_event_at = last_event_at

    def clear_database(self) -> None:
        self._snapshot.ledger = None
        self._snapshot.last_event_at = {}

    def set_redis_settings(self, durable_by_setting: Mapping[str, bool]) -> None:
        self._snapshot.redis_settings = durable_by_setting
