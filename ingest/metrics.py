"""Collects `/metrics` from the process's counters; a scrape asks nothing of Redis."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ingest.circuit_breaker import CircuitBreaker
from ingest.counters import BATCH_SIZE_BUCKETS, Counters
from ingest.redis_memory import RedisMemory
from ingest.spool import Spool


class IngestCollector(Collector):
    """Every label has few values, and none comes from a request."""

    def __init__(self, counters: Counters, spool: Spool, breaker: CircuitBreaker, redis_memory: RedisMemory) -> None:
        self._counters = counters
        self._spool = spool
        self._breaker = breaker
        self._redis_memory = redis_memory

    def collect(self) -> Iterator[Metric]:
        counters = self._counters
        yield CounterMetricFamily(
            "sak_ingest_received_webhooks", "Webhooks with a valid signature.", counters.received_webhooks
        )
        acknowledged = CounterMetricFamily(
            "sak_ingest_acknowledged_events", "Webhooks stored, by where first.", labels=["path"]
        )
        acknowledged.add_metric(["stream"], counters.acknowledged_by_stream)
        acknowledged.add_metric(["spool"], counters.acknowledged_by_spool)
        yield acknowledged
        yield _labelled_counter(
            "sak_ingest_refused_requests", "Refused requests, by the code in the answer.", "code", counters.refusals
        )
        yield _labelled_counter(
            "sak_ingest_unconfirmed_batches",
            "Batches Redis did not confirm, by reason.",
            "reason",
            counters.unconfirmed_batches,
        )
        yield self._batch_sizes()
        yield CounterMetricFamily("sak_ingest_drain_jobs", "Drain jobs enqueued for workers.", counters.drain_jobs)
        yield CounterMetricFamily(
            "sak_spool_drained_events", "Events moved from the spool to the stream.", counters.drained_events
        )
        yield GaugeMetricFamily("sak_spool_events", "Events in the spool.", self._spool.events)
        yield GaugeMetricFamily(
            "sak_spool_bytes", "Bytes in the spool, as counted against its limit.", self._spool.size_bytes
        )
        yield GaugeMetricFamily("sak_spool_usable", "1 if the spool works.", self._spool.unusable_reason is None)
        free = _free_disk_bytes(self._spool.directory)
        if free is not None:
            yield GaugeMetricFamily("sak_spool_disk_free_bytes", "Free bytes on the spool's disk.", free)
        yield GaugeMetricFamily("sak_spool_limit_bytes", "SPOOL_MAX_BYTES.", self._spool.max_bytes)
        yield GaugeMetricFamily(
            "sak_ingest_circuit_open", "1 while new events skip Redis.", self._breaker.open_reason is not None
        )
        yield GaugeMetricFamily(
            "sak_redis_memory_share", "Used share of Redis' maxmemory, as last read.", self._redis_memory.used_share
        )

    def _batch_sizes(self) -> Metric:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, BATCH_SIZE_BUCKETS), "+Inf"], self._counters.batch_size_counts, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            "sak_ingest_batch_events", "Events per batch.", buckets, self._counters.batched_events
        )


def _free_disk_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None  # sak_spool_usable reports the failure


def _labelled_counter(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
