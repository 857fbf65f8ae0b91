"""Imitates an OpenTelemetry collector, which receives OTLP over HTTP and decodes it with the official messages."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.servers.server_thread import POLL_SECONDS


@dataclass(frozen=True)
class CollectedSpan:
    """A span as it arrived."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    linked_span_ids: tuple[str, ...]
    """The ids of the linked spans."""
    started_ns: int
    ended_ns: int
    attributes: dict[str, str]
    failed: bool


class OtlpCollector:
    """A collector that listens on the loopback interface until its block ends."""

    def __init__(self) -> None:
        self.spans: list[CollectedSpan] = []
        self.raw_bodies = b""
        self.paths: set[str] = set()
        collector = self

        class Pages(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.paths.add(self.path)
                collector.receive(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
                """Suppress the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.raw_bodies += body
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    CollectedSpan(
                        names["service.name"],
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        tuple(link.span_id.hex() for link in span.links),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        {each.key: each.value.string_value for each in span.attributes},
                        span.status.code == 2,
                    )
                    for span in scope.spans
                ]

    def spans_named(self, name: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.name == name]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
