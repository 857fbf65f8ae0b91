"""What is told of the replica that answers for the primary: to probes and to Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from store.postgres.replica import Replica


def status(replica: Replica) -> dict[str, object]:
    """For `/readyz`; a replica that cannot be used makes nobody unready, as the primary answers."""
    lag = None if replica.lag_seconds is None else round(replica.lag_seconds, 3)
    return {"answers": replica.unavailable_reason is None, "lag_seconds": lag, "reason": replica.unavailable_reason}


class ReplicaMetrics(Collector):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        answers = 0 if self._replica.unavailable_reason else 1
        yield GaugeMetricFamily("sak_api_replica_answers", "1 while the replica is asked first.", answers)
        if self._replica.lag_seconds is not None:
            yield GaugeMetricFamily(
                "sak_api_replica_lag_seconds", "By how much the replica lags at most.", self._replica.lag_seconds
            )
        reads = CounterMetricFamily("sak_api_reads", "Questions that a replica could answer.", labels=["server"])
        reads.add_metric(["replica"], self._replica.served)
        reads.add_metric(["primary"], self._replica.fallbacks)
        yield reads
