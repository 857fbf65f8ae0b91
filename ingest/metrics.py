"""`/metrics`: the process's counts, read when somebody asks. Asking changes nothing, here or in Redis."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ingest.circuit_breaker import Breaker
from ingest.counters import SIZES, Counts
from ingest.redis_memory import Memory
from ingest.spool import Spool


class Metrics(Collector):
    """The labels have few values, all of them ours: none comes from a request."""

    def __init__(self, counts: Counts, spool: Spool, breaker: Breaker, memory: Memory) -> None:
        self._counts = counts
        self._spool = spool
        self._breaker = breaker
        self._memory = memory

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield CounterMetricFamily("sak_received", "Webhooks whose sender was recognised.", counts.received)
        acknowledged = CounterMetricFamily("sak_acknowledged", "Webhooks kept, by where first.", labels=["path"])
        acknowledged.add_metric(["stream"], counts.acknowledged_stream)
        acknowledged.add_metric(["spool"], counts.acknowledged_spool)
        yield acknowledged
        yield _by("sak_refused", "Requests refused, by the code in the answer.", "code", counts.refused)
        yield _by("sak_unconfirmed_batches", "Batches Redis did not confirm, by reason.", "reason", counts.failures)
        yield self._sizes()
        yield CounterMetricFamily("sak_hints", "Jobs that told a worker to look.", counts.hints)
        yield CounterMetricFamily("sak_spool_drained", "Events moved from the spool to the stream.", counts.drained)
        yield GaugeMetricFamily("sak_spool_events", "Events in the spool.", self._spool.events)
        yield GaugeMetricFamily("sak_spool_bytes", "Bytes in the spool, against its bound.", self._spool.size)
        yield GaugeMetricFamily("sak_spool_usable", "1 if the spool works.", self._spool.trouble is None)
        free = _free(self._spool.folder)
        if free is not None:
            yield GaugeMetricFamily("sak_spool_disk_free_bytes", "Left on the spool's disk.", free)
        yield GaugeMetricFamily("sak_spool_limit_bytes", "SPOOL_MAX_BYTES.", self._spool.max_bytes)
        yield GaugeMetricFamily("sak_breaker_open", "1 while Redis is not asked.", self._breaker.reason is not None)
        yield GaugeMetricFamily("sak_redis_memory_share", "Of Redis' maxmemory, as last seen.", self._memory.share)

    def _sizes(self) -> Metric:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, SIZES), "+Inf"], self._counts.batches, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            "sak_batch_size", "Events that were acknowledged together.", buckets, self._counts.batched
        )


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None  # sak_spool_usable says that something is wrong with it


def _by(name: str, what: str, label: str, numbers: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family
