"""Adds deadlines and bounds to uvicorn's HTTP/1.1 protocol, which waits for ever for headers and bodies.

A sweep over all connections (ingest.http.server) enforces the deadlines, so that a request needs no timer.
"""

import asyncio
import math
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ingest import responses
from ingest.http.corked_transport import CorkedTransport
from ingest.responses import ErrorResponse

HEADERS_TIMEOUT_SECONDS = 5.0
BODY_TIMEOUT_SECONDS = 8.0
"""SAK itself gives up after 8 seconds."""
RESPONSE_TIMEOUT_SECONDS = 30.0
"""Longer than any answer takes: a connection still open then belongs to a client that does not read."""
MAX_HEADERS_BYTES = 64 << 10
SHUTDOWN_BODY_SECONDS = 1.0
"""How long a body may take to complete at shutdown."""
SHUTDOWN_IDLE_SECONDS = 0.2
"""How long an idle connection stays open at shutdown, in case a request is on its way."""


class DeadlineProtocol(HttpToolsProtocol):
    """One connection."""

    _cork: CorkedTransport
    _deadline = math.inf
    """When the sweep closes the connection; infinite between two requests, where uvicorn's keep-alive applies."""
    _reading_headers = False
    _reading_body = False
    _headers_bytes = 0
    _shutting_down = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._cork = CorkedTransport(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(self._cork)
        self._deadline = self.loop.time() + HEADERS_TIMEOUT_SECONDS

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._deadline == math.inf:
            # Any data sets it: line breaks before a request begin none, and would keep the connection open for ever.
            self._deadline = self.loop.time() + HEADERS_TIMEOUT_SECONDS
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess] - None only once the connection is lost
        except httptools.HttpParserUpgrade:
            # The request is answered as it stands; the data after it is in a protocol that ingest does not support.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._reject(responses.BAD_REQUEST)
        else:
            if self._reading_headers:
                self._headers_bytes += len(data)
                if self._headers_bytes > MAX_HEADERS_BYTES:
                    self._reject(responses.HEADERS_TOO_LARGE)

    def eof_received(self) -> bool | None:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio's own type
        """Keep the half-closed connection if the client still waits for an answer."""
        if not self._is_responding() or self._reading_body:
            self._cork.flush()  # the loop would close before sending the last answer
            return None
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_headers = True
        self._headers_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._reading_headers = False
        self._reading_body = self._cork.lingers = True
        self._deadline = self.loop.time() + BODY_TIMEOUT_SECONDS
        if self._shutting_down:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading_body = self._cork.lingers = False
        if self._cork.is_lingering:
            self._cork.close()
        self._deadline = self.loop.time() + RESPONSE_TIMEOUT_SECONDS

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._cork.is_lingering:
            self.flow.resume_reading()
        if self._reading_headers:
            self._deadline = self.loop.time() + HEADERS_TIMEOUT_SECONDS
        elif not self._reading_body:
            self._deadline = self.loop.time() + RESPONSE_TIMEOUT_SECONDS if self._is_responding() else math.inf

    def shutdown(self) -> None:
        self._shutting_down = True
        if self._is_responding():
            self.cycle.keep_alive = False
            self.loop.call_later(SHUTDOWN_BODY_SECONDS, self._reject_unfinished_body)
        else:
            self.loop.call_later(SHUTDOWN_IDLE_SECONDS, self._close_if_idle)

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if its deadline has passed, with an answer if possible; called by the sweep."""
        if now < self._deadline:
            return
        self._deadline = now + HEADERS_TIMEOUT_SECONDS
        if self.transport.is_closing() or (self._is_responding() and not self._reading_body):
            self.transport.abort()
        elif self._reading_headers or self._reading_body:
            self._reject(responses.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _is_responding(self) -> bool:
        """Whether a request is being processed and its answer is incomplete."""
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)  # pyright: ignore[reportUnnecessaryComparison] - None until the first request

    def _reject_unfinished_body(self) -> None:
        if self._reading_body:
            self._reject(responses.REQUEST_TIMEOUT)

    def _close_if_idle(self) -> None:
        if not self._is_responding():
            self.transport.close()

    def _reject(self, error: ErrorResponse) -> None:
        """Refuse a request that cannot be read. An earlier request on the same connection still gets its answer."""
        self._deadline = self.loop.time() + HEADERS_TIMEOUT_SECONDS
        if self._is_responding() and not self._reading_body:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not self._reading_body or not (self.pipeline or self.cycle.response_started):
            self.app_state["counters"].count_refusal(error.code)
            self.transport.write(self._render(error))
        self._cork.lingers = False
        self.transport.close()

    def _render(self, error: ErrorResponse) -> bytes:
        headers = [*self.server_state.default_headers, *responses.response_headers(error)]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        return STATUS_LINE[error.status] + head + b"\r\n" + error.body
