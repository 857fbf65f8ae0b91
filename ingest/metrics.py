"""Collects `/metrics` from the counters of the process, without querying Redis."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from http_server.connections import Connections
from ingest.counters import BATCH_SIZE_BUCKETS, Counters
from ingest.quarantine.quarantine import Quarantine
from ingest.spool.spool import Spool
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.redis_memory import RedisMemory
from ingest.tail.tail import Tail


@dataclass(frozen=True, eq=False)
class IngestCollector(Collector):
    """The metrics of the process. Every label has few values, and none comes from a request."""

    counters: Counters
    connections: Connections
    spool: Spool
    breaker: CircuitBreaker
    redis_memory: RedisMemory
    tail: Tail
    quarantine: Quarantine

    def collect(self) -> Iterator[Metric]:
        counters, spool = self.counters, self.spool
        yield Counter("sak_ingest_received_webhooks", "Webhooks with a valid signature.", counters.received_webhooks)
        by_sender = counters.webhooks_by_sender
        yield _by_label("sak_ingest_sender_webhooks", "Webhooks at /webhooks/NAME, by name.", "sender", by_sender)
        acknowledged = {"stream": counters.acknowledged_by_stream, "spool": counters.acknowledged_by_spool}
        yield _by_label("sak_ingest_acknowledged_events", "Events by first place of storage.", "path", acknowledged)
        refusals = counters.refusals
        yield _by_label("sak_ingest_refused_requests", "Refused requests, by the code in the answer.", "code", refusals)
        yield Gauge("sak_ingest_connections", "Open connections.", len(self.connections.open))
        held = self.connections.held_bytes
        yield Gauge("sak_ingest_unfinished_bytes", "Bytes of unfinished requests and unread responses.", held)
        counts = counters.unconfirmed_batches
        yield _by_label("sak_ingest_unconfirmed_batches", "Batches Redis did not confirm, by reason.", "reason", counts)
        size = self.quarantine.size
        yield Gauge("sak_quarantine_events", "Kept webhooks whose signature fits no secret.", size.events)
        yield Gauge("sak_quarantine_bytes", "Bytes of the kept webhooks' bodies.", size.size_bytes)
        recovered = counters.recovered_webhooks
        yield Counter("sak_quarantine_recovered_events", "Kept webhooks that a new secret signed.", recovered)
        dropped = counters.dropped_webhooks
        yield _by_label("sak_quarantine_dropped_events", "Webhooks that could not be kept.", "reason", dropped)
        yield self._batch_sizes()
        yield Counter("sak_ingest_drain_jobs", "Drain jobs enqueued for workers.", counters.drain_jobs)
        yield Counter("sak_spool_drained_events", "Events moved from the spool to the stream.", counters.drained_events)
        yield Gauge("sak_spool_events", "Events in the spool.", spool.events)
        yield Gauge("sak_spool_bytes", "Bytes in the spool, as counted against its limit.", spool.size_bytes)
        yield Gauge("sak_spool_usable", "1 if the spool works.", spool.unusable_reason is None)
        with contextlib.suppress(OSError):  # sak_spool_usable reports the failure
            free = shutil.disk_usage(spool.directory).free
            yield Gauge("sak_spool_disk_free_bytes", "Free bytes on the spool's disk.", free)
        yield Gauge("sak_spool_limit_bytes", "SPOOL_MAX_BYTES.", spool.max_bytes)
        tail = self.tail
        yield Gauge("sak_tail_bytes", "Bytes of the tail.", tail.size_bytes)
        yield Gauge("sak_tail_covered_seconds", "Seconds that the tail reaches back.", tail.covered_seconds)
        yield Gauge("sak_tail_due_events", "Events of the tail to be sent again.", tail.due_events)
        yield Gauge("sak_tail_in_files", "1 unless the files of the tail cannot be written.", tail.file_problem is None)
        yield Gauge("sak_tail_proven_by_redis", "1 while the tail needs no files.", tail.is_proven_by_redis)
        yield Counter("sak_tail_resent_events", "Events of tails that were sent again.", counters.resent_events)
        changes = tail.identity.redis_number - 1
        yield Counter("sak_redis_changes", "Times that Redis was found to be another, or to have lost data.", changes)
        yield Gauge("sak_ingest_circuit_open", "1 while new events skip Redis.", self.breaker.open_reason is not None)
        share = self.redis_memory.used_share
        yield Gauge("sak_redis_memory_share", "Used share of Redis' maxmemory, as last read.", share)

    def _batch_sizes(self) -> Metric:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, BATCH_SIZE_BUCKETS), "+Inf"], self.counters.batch_size_counts, strict=True):
            total += count
            buckets.append((bound, total))
        return Histogram("sak_ingest_batch_events", "Events per batch.", buckets, self.counters.batched_events)


def _by_label(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    family = Counter(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
