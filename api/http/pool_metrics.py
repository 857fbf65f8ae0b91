"""How much of the pools of connections is in use, for Prometheus, read when somebody asks."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from store.postgres.pool import Pool


class PoolMetrics(Collector):
    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily(
            "sak_api_pool_connections", "Connections to PostgreSQL, by pool and state.", labels=["pool", "state"]
        )
        waiting = GaugeMetricFamily(
            "sak_api_pool_waiting", "Requests that wait for a connection, by pool.", labels=["pool"]
        )
        failed = CounterMetricFamily("sak_api_pool_timeouts", "Requests that waited in vain, by pool.", labels=["pool"])
        for pool in self._pools:
            use = pool.usage()
            for state, number in (("idle", use.idle), ("busy", use.in_use), ("limit", pool.size)):
                connections.add_metric([pool.name, state], number)
            waiting.add_metric([pool.name], use.waiting)
            failed.add_metric([pool.name], use.timeouts)
        yield from (connections, waiting, failed)
