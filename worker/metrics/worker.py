"""What the worker counts, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.ledger.batch_counts import COLUMNS
from store.ledger.ledger import Ledger
from store.model.batches import Batch
from worker.metrics.snapshot import Surveyed


class Metrics:
    """One worker's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._surveyed = Surveyed()
        self._events = Counter(
            "sak_worker_events",
            "Events written to the ledger, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self._entries = Counter("sak_worker_batches", "Batches taken from the stream.", registry=self.registry)
        self._retries = Counter(
            "sak_worker_retries", "Tries that PostgreSQL's absence or a lock made necessary.", registry=self.registry
        )
        self._refused = Counter(
            "sak_worker_refused_jobs", "Jobs that are not on the allow-list.", registry=self.registry
        )
        self._seconds = Histogram(
            "sak_worker_drain_seconds",
            "Seconds from taking a handful of batches to having removed them.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self._length = Gauge("sak_stream_entries", "Batches in the stream.", registry=self.registry)
        self._age = Gauge("sak_stream_oldest_seconds", "Age of the oldest batch in the stream.", registry=self.registry)
        self._lag = Gauge(
            "sak_feed_lag_seconds",
            "For how long a running transaction has kept the oldest hidden change from the feed's readers.",
            registry=self.registry,
        )
        self._pruned = Counter(
            "sak_feed_pruned", "Changes that were forgotten because of their age.", registry=self.registry
        )
        self._sizes = Histogram(
            "sak_worker_transaction_events",
            "Events written in one transaction.",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
            registry=self.registry,
        )
        self._parked = Counter(
            "sak_worker_parked",
            "Events that could not be read or stored, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._seen = Gauge(
            "sak_worker_seen_timestamp_seconds", "When this worker last looked at the stream.", registry=self.registry
        )
        self.registry.register(self._surveyed)
        for outcome in COLUMNS:
            self._events.labels(outcome)

    def drained(self, *, entries: int, counted: Tally[str], seconds: float) -> None:
        self._entries.inc(entries)
        self._seconds.observe(seconds)
        for outcome, number in counted.items():
            self._events.labels(outcome).inc(number)

    def wrote(self, batches: Iterable[Batch]) -> None:
        events = [event for batch in batches for event in batch.events]
        if events:
            self._sizes.observe(len(events))
        for event in events:
            if event.outcome.kind == "parked":
                self._parked.labels(event.outcome.reason or "none").inc()

    def retried(self) -> None:
        self._retries.inc()

    def refused(self) -> None:
        self._refused.inc()

    def saw(self, *, length: int, age: float) -> None:
        self._length.set(length)
        self._age.set(age)
        self._seen.set_to_current_time()

    def lagged(self, seconds: float) -> None:
        self._lag.set(seconds)

    def pruned(self, changes: int) -> None:
        self._pruned.inc(changes)

    def added_up(self, read: Ledger) -> None:
        self._surveyed.ledger = read

    def spoke(self, last: Mapping[str, int]) -> None:
        self._surveyed.sessions = last

    def saw_no_database(self) -> None:
        self._surveyed.ledger = None
        self._surveyed.sessions = {}

    def configured(self, safe: Mapping[str, bool]) -> None:
        self._surveyed.redis = safe
