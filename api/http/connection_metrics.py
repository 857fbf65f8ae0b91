"""Exports the server's connections to Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from http_server.connections import Connections


class ConnectionMetrics(Collector):
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("sak_api_connections", "Open connections.", len(self._connections.open))
        held = self._connections.held_bytes
        yield GaugeMetricFamily("sak_api_unfinished_bytes", "Bytes of unfinished requests and unread responses.", held)
