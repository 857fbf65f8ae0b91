"""What is told of the replica that answers for the primary: to probes and to Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from store.postgres.replica import Replica


def document(replica: Replica) -> dict[str, object]:
    """For `/readyz`; a replica that cannot be used makes nobody unready, as the primary answers."""
    lag = None if replica.lag is None else round(replica.lag, 3)
    return {"answers": replica.reason is None, "lag_seconds": lag, "reason": replica.reason}


class Figures(Collector):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        answers = 0 if self._replica.reason else 1
        yield GaugeMetricFamily("sak_api_replica_answers", "1 while the replica is asked first.", answers)
        if self._replica.lag is not None:
            yield GaugeMetricFamily(
                "sak_api_replica_lag_seconds", "By how much the replica lags at most.", self._replica.lag
            )
        reads = CounterMetricFamily("sak_api_reads", "Questions that a replica could answer.", labels=["server"])
        reads.add_metric(["replica"], self._replica.answered)
        reads.add_metric(["primary"], self._replica.passed_on)
        yield reads
