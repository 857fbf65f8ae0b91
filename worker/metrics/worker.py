"""Defines the worker's counters for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.ledger.batch_counts import OUTCOME_COLUMNS
from store.model.batches import Batch
from worker.metrics.snapshot import SnapshotCollector


class WorkerMetrics:
    """The metrics of one worker in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.snapshot = SnapshotCollector()
        self.registry.register(self.snapshot)
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.retries = counter("sak_worker_retries", "Retries after PostgreSQL was away or a lock was held.")
        self.refused_jobs = counter("sak_worker_refused_jobs", "Jobs that are not on the allow-list.")
        self.feed_lag = gauge(
            "sak_feed_lag_seconds",
            "Seconds for which a running transaction has hidden the oldest unreadable change from the feed's readers.",
        )
        self.feed_pruned = counter("sak_feed_pruned_changes", "Expired changes deleted from the feed.")
        self.unreadable_entries = gauge(
            "sak_stream_unreadable_entries", "Entries that no worker could read and that were set aside."
        )
        self._events = counter("sak_worker_events", "Events written to the ledger, by outcome.", ["outcome"])
        self._parked = counter("sak_worker_parked_events", "Events parked, by reason.", ["reason"])
        self._noise = counter(
            "sak_worker_noise_events", "Events that contain nothing for the history, by reason.", ["reason"]
        )
        self._batches = counter("sak_worker_batches", "Batches taken from the stream.")
        self._drain_seconds = histogram(
            "sak_worker_drain_seconds",
            "Seconds from reading batches to acknowledging them to the stream.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self._transaction_events = histogram(
            "sak_worker_transaction_events",
            "Events written in one transaction.",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
        )
        self._stream_length = gauge("sak_stream_entries", "Batches in the stream that are not in PostgreSQL yet.")
        self._stream_age = gauge("sak_stream_oldest_seconds", "Age of the oldest batch that waits.")
        self._kept_bytes = gauge("sak_stream_kept_bytes", "Memory of Redis that stored batches take.")
        self._kept_seconds = gauge(
            "sak_stream_kept_seconds", "Seconds back to which the stream still has every stored batch."
        )
        self._stream_checked_at = gauge(
            "sak_worker_stream_checked_timestamp_seconds", "Time of this worker's last check of the stream."
        )
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
            elif event.outcome.kind == "noise":
                self._noise.labels(event.outcome.reason or "none").inc()

    def set_stream(self, length: int, *, age: float) -> None:
        self._stream_length.set(length)
        self._stream_age.set(age)
        self._stream_checked_at.set_to_current_time()

    def set_kept(self, size_bytes: int, *, seconds: float) -> None:
        self._kept_bytes.set(size_bytes)
        self._kept_seconds.set(seconds)
