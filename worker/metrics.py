"""What the worker counts, for Prometheus."""

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.batches import COLUMNS


class Metrics:
    """One worker's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
        for outcome in COLUMNS:
            self._events.labels(outcome)

    def drained(self, *, entries: int, counted: Tally[str], seconds: float) -> None:
        self._entries.inc(entries)
        self._seconds.observe(seconds)
        for outcome, number in counted.items():
            self._events.labels(outcome).inc(number)

    def retried(self) -> None:
        self._retries.inc()

    def refused(self) -> None:
        self._refused.inc()

    def saw(self, *, length: int, age: float) -> None:
        self._length.set(length)
        self._age.set(age)

    def lagged(self, seconds: float) -> None:
        self._lag.set(seconds)

    def pruned(self, changes: int) -> None:
        self._pruned.inc(changes)
