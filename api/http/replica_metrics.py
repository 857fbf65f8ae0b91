"""Reports the state of the read replica to readiness probes and to Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from store.postgres.replica import Replica


def status(replica: Replica) -> dict[str, object]:
    """Return the state for `/readyz`.

    An unusable replica does not make the process unready, as the primary takes over.
    """
    lag = None if replica.lag_seconds is None else round(replica.lag_seconds, 3)
    return {"answers": replica.unavailable_reason is None, "lag_seconds": lag, "reason": replica.unavailable_reason}


class ReplicaMetrics(Collector):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        in_use = 0 if self._replica.unavailable_reason else 1
        yield GaugeMetricFamily("sak_api_replica_in_use", "1 while reads go to the replica first.", in_use)
        if (lag := self._replica.lag_seconds) is not None:
            yield GaugeMetricFamily("sak_api_replica_lag_seconds", "Upper bound of the replica's lag.", lag)
        reads = CounterMetricFamily(
            "sak_api_replica_eligible_reads", "Reads that a replica may serve, by server.", labels=["server"]
        )
        reads.add_metric(["replica"], self._replica.served)
        reads.add_metric(["primary"], self._replica.fallbacks)
        yield reads
