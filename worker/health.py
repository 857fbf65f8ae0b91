"""Serves `/healthz`, `/readyz` and `/metrics` of the worker."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from worker.housekeeping.monitor import StreamMonitor
from worker.metrics.worker import WorkerMetrics

STALE_SECONDS = 20.0
"""The time in seconds since the last check of the stream after which the worker counts as not ready."""
STALLED_SECONDS = 30.0
"""The age in seconds of the oldest batch after which the worker counts as not ready, if no worker has stored it."""

MAX_CONNECTIONS = 16
READ_SECONDS = 5.0
"""The time in seconds that a client may take to send its request."""


class _BoundedServer(ThreadingHTTPServer):
    """A server with few connections. It closes the oldest one to accept another."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own types
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with contextlib.suppress(OSError):  # the client has disconnected
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's own type
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)


def serve(listener: socket.socket, monitor: StreamMonitor, metrics: WorkerMetrics) -> ThreadingHTTPServer:
    """Serve the pages on a listening socket from a background thread. They only read what the worker recorded."""

    class Pages(BaseHTTPRequestHandler):
        timeout = READ_SECONDS

        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(200, b'{"alive":true}', "application/json")
            elif self.path == "/readyz":
                reasons = not_ready_reasons(monitor)
                state = {"ready": not reasons, "reasons": reasons, "notes": notes(monitor)}
                body = json.dumps({**state, "kept": kept_entries(monitor)}).encode()
                self._answer(503 if reasons else 200, body, "application/json")
            elif self.path == "/metrics":
                self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
            else:
                self._answer(404, b'{"success":false,"error":"Not found.","code":"not_found"}', "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            """Log nothing, because probes come every second."""

    server = _BoundedServer(listener, Pages)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


def not_ready_reasons(monitor: StreamMonitor) -> list[str]:
    """Return the reasons why the worker is not ready as sentences. Empty if events are being stored."""
    if monitor.not_ready_reason is not None:
        return [monitor.not_ready_reason]
    reasons: list[str] = []
    if (age := time.monotonic() - monitor.checked_at) > STALE_SECONDS:
        reasons.append(f"The stream was last checked {age:.0f} s ago.")
    if monitor.drain_failure is not None:
        reasons.append(f"The last drain failed: {monitor.drain_failure}.")
    stalled = 0.0 if monitor.stalled_since is None else time.monotonic() - monitor.stalled_since
    if stalled > STALLED_SECONDS:
        reasons.append(f"The oldest batch in the stream has not been stored for {stalled:.0f} s.")
    return reasons


def notes(monitor: StreamMonitor) -> list[str]:
    """Return notes for an operator, which do not make the worker unready."""
    found: list[str] = []
    if monitor.unreadable:
        found.append(f"{monitor.unreadable} entries are set aside as unreadable: start a worker of the newest version.")
    if monitor.rq_failure is not None:
        found.append(f"{monitor.rq_failure} This worker drains without RQ: see `python -m worker doctor`.")
    return found


def kept_entries(monitor: StreamMonitor) -> dict[str, object]:
    """Return how far back stored batches are kept in the stream, and a note if memory limits it."""
    kept = monitor.kept
    note = (
        "Memory limits how long stored batches stay in the stream: raise STREAM_KEEP_BYTES or maxmemory."
        if kept.is_limited
        else "Redis does not report its memory: only STREAM_KEEP_SECONDS limits the stored batches in the stream."
        if kept.limit_bytes is None
        else None
    )
    return {
        "seconds": round(kept.covered_seconds),
        "bytes": kept.size_bytes,
        "limit_bytes": kept.limit_bytes,
        "note": note,
    }
