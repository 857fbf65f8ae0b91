"""Exports the use of the connection pools to Prometheus, read at each scrape."""

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
            "sak_api_pool_waiting", "Requests waiting for a connection, by pool.", labels=["pool"]
        )
        timeouts = CounterMetricFamily(
            "sak_api_pool_timeouts", "Requests that got no connection, by pool.", labels=["pool"]
        )
        for pool in self._pools:
            usage = pool.usage()
            for state, count in (("idle", usage.idle), ("busy", usage.in_use), ("limit", pool.size)):
                connections.add_metric([pool.name, state], count)
            waiting.add_metric([pool.name], usage.waiting)
            timeouts.add_metric([pool.name], usage.timeouts)
        yield from (connections, waiting, timeouts)
