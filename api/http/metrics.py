"""Exports the connections, the pools and the replica of the process to Prometheus, read at each scrape."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from http_server.connections import Connections
from store.postgres.pool import Pool
from store.postgres.replica import Replica


class ConnectionMetrics(Collector):
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("sak_api_connections", "Open connections.", len(self._connections.open))
        held = self._connections.held_bytes
        yield GaugeMetricFamily("sak_api_unfinished_bytes", "Bytes of unfinished requests and unread responses.", held)


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
