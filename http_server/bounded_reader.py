"""Reads requests with uvicorn's HTTP/1.1 protocol, limits their heads, bodies and pipelines, and refuses others."""

import math
from typing import Any, cast

import httptools
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from http_server import error_responses
from http_server.connections import Connections
from http_server.corked_transport import CorkedTransport
from http_server.error_responses import ErrorResponse
from http_server.pipeline_flow_control import PipelineFlowControl
from http_server.request_size import MAX_HEAD_BYTES, RequestSize

HEAD_SECONDS = 5.0
IDLE_SECONDS = 75.0
"""The idle time in seconds of a connection. A reverse proxy closes earlier, so it never sends into a closed one."""
LINGER_SECONDS = 2.0
"""Seconds for which a client that was refused may continue to send, so that it sees the response."""
MAX_HEADERS = 128
LARGE_BYTES = 64 << 10
"""Larger bodies are read in turns while much is unfinished. At most this much of a response counts as unread."""
MAX_WAITING_REQUESTS = 8
"""Requests that may wait behind the current one. One more ends the connection after their responses."""
OVERFLOW_CODE = "too_many_requests"
"""The code under which a connection with too many waiting requests is counted."""
_WAITING_REQUEST_BYTES = 4 << 10
"""The size of a waiting request without its body."""


class _RefusedError(Exception):
    """An error that ends the parser within one of its callbacks."""


class BoundedReader(HttpToolsProtocol):
    """A connection whose requests are limited while they are read."""

    _turns: PipelineFlowControl
    _cork: CorkedTransport
    _deadline = math.inf
    """The time at which the sweep closes the connection. Infinite while a complete request is being answered."""
    _since = 0.0
    """The start of its idle time or of its unfinished request, or the time of the last progress of its response."""
    _reading_headers = False
    _reading_body = False
    _idle = True
    _input_ends = False
    """True once all further input is discarded."""
    _discarded_bytes = 0
    _violation: ErrorResponse | None = None
    """The refusal that a callback of the parser decided on, or None if the bytes are not HTTP."""
    _overflowing = False
    """True if too many requests are waiting."""
    _waiting_bytes = 0
    """The number of bytes received since requests started to wait."""
    _shutting_down = False
    _running: RequestResponseCycle | None = None
    """The request that is being answered."""
    held_bytes = 0

    def __init__(self, *, table: Connections, **uvicorn: Any) -> None:  # noqa: ANN401 - uvicorn's own arguments
        super().__init__(**uvicorn)
        self._table = table
        self._bounds = table.bounds
        self._size = RequestSize()

    def data_received(self, data: bytes) -> None:
        if self._input_ends:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > self._bounds.kept_body_bytes:
                self._cork.abort()
            self._turns.yield_turn(self._table.queue)
            return
        was_idle = self._idle
        if len(data) <= (self._size.allowed_bytes if self._reading_headers or self._reading_body else MAX_HEAD_BYTES):
            self._feed(data)
        else:
            rest = memoryview(data)
            while rest and not self._input_ends:
                allowed = self._size.allowed_bytes
                self._feed(rest[:allowed])
                rest = rest[allowed:]
        if was_idle and self._idle:
            # Line breaks do not start a request, and would keep the connection open for ever.
            self._deadline = min(self._deadline, self.loop.time() + HEAD_SECONDS)
        unfinished = self._reading_headers or self._reading_body
        if unfinished or self.held_bytes or self.pipeline:
            self._table.set_unfinished(self, unfinished=unfinished)
            self._waiting_bytes += len(data)
            self._hold()
            if self._reading_body and self._table.is_half_full and self.held_bytes > LARGE_BYTES:
                self._turns.yield_turn(self._table.queue)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_WAITING_REQUESTS:
            self._overflowing = True
            raise _RefusedError
        super().on_message_begin()
        if self._idle:
            self._end_idle()
        self._reading_headers = True
        self._size.requests_in_data += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading_headers:  # a header after the body is a trailer
            if len(self.headers) >= MAX_HEADERS:
                self._violation = error_responses.HEADERS_TOO_LARGE
                raise _RefusedError
            name = name.lower()  # not in the base class, because the call would double the cost
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._reading_headers = False
        self._reading_body = self._cork.lingers = True
        self._deadline = self.loop.time() + self._bounds.body_seconds
        if self._shutting_down:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._size.body_bytes += len(body)
        if self.cycle.response_complete:
            self._turns.yield_turn(self._table.queue)  # discarded input must not delay other connections
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading_body = self._cork.lingers = False
        self._size.end()
        self._deadline = math.inf
        if self._cork.is_lingering:
            self._cork.close()
        elif not self._is_responding():
            self._set_idle()

    def age(self, now: float) -> float:
        rate = self._bounds.min_body_rate
        return now - self._since - (self._size.body_bytes / rate if rate else 0)

    def refuse(self) -> None:
        if self._reading_headers or self._reading_body:
            self._refuse(error_responses.BUSY, linger=True)
        else:
            self._table.count_refusal(error_responses.BUSY.code)
            self.drop()

    def drop(self) -> None:
        self.transport.abort()

    def _feed(self, data: bytes | memoryview) -> None:
        if not (self._reading_headers or self._reading_body):
            self._size.requests_in_data = 0
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess] - None only once the connection is lost
        except httptools.HttpParserUpgrade:
            # The request is answered as it is. The data after it belongs to a protocol that is not supported.
            self.cycle.keep_alive = False
            self._end_input()
        except httptools.HttpParserError:
            if self._overflowing:
                self._table.count_refusal(OVERFLOW_CODE)
                self._close_after_responses()
                self._end_input()
            else:
                self._refuse(self._violation or error_responses.BAD_REQUEST)
        else:
            if self._reading_headers or self._reading_body:
                self._size.count(len(data))
                if self._size.allowed_bytes < 1:
                    self._refuse(error_responses.HEADERS_TOO_LARGE)

    def _hold(self) -> None:
        """Report the number of bytes that the connection holds."""
        held = min(self._cork.get_write_buffer_size(), LARGE_BYTES)
        if self.pipeline:
            held += self._waiting_bytes + len(self.pipeline) * _WAITING_REQUEST_BYTES
        else:
            self._waiting_bytes = 0
        if self._reading_headers:
            held += self._size.framing_bytes
        elif self._reading_body and not self.cycle.response_complete:
            body_bytes = min(self._size.body_bytes, self._bounds.kept_body_bytes)
            held += min(self._size.framing_bytes, MAX_HEAD_BYTES) + body_bytes
        self._table.hold(self, held, self.loop.time())

    def _refuse(self, error: ErrorResponse, *, linger: bool = False) -> None:
        """Refuse the request that is being read. Earlier ones on the same connection still get their responses."""
        unfinished = self.cycle if self._reading_body else None
        self._end_input()
        if unfinished is not None:
            unfinished.disconnected = True
            unfinished.body = bytearray()
            unfinished.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()
        running = self._running if self._running is not unfinished else None
        if self.pipeline or (running is not None and not running.response_complete):
            self._close_after_responses()
            self._deadline = math.inf
            return
        if unfinished is None or not unfinished.response_started:
            self._table.count_refusal(error.code)
            self.transport.write(error.encode(self.server_state.default_headers))
        self._cork.lingers = linger
        self.flow.resume_reading()
        self.transport.close()
        self._deadline = self.loop.time() + LINGER_SECONDS

    def _end_input(self) -> None:
        """Discard all further input, and the parser's part of an unfinished head."""
        self._input_ends = True
        self._reading_headers = self._reading_body = False
        self.headers = []
        self.parser = cast("httptools.HttpRequestParser", None)

    def _set_idle(self) -> None:
        self._idle = True
        self._since = self.loop.time()
        self._forget_requests()
        self._deadline = self._since + IDLE_SECONDS
        self._table.set_idle(self)

    def _end_idle(self) -> None:
        self._idle = False
        self._table.set_active(self)
        self._since = self.loop.time()
        self._deadline = self._since + HEAD_SECONDS

    def _forget_requests(self) -> None:
        """Drop references to requests, because idle connections would keep them, and they refer to the connection."""
        self.pipeline.clear()
        self.cycle = cast("RequestResponseCycle", None)
        self._running = None
        self.scope = cast("HTTPScope", None)
        self.headers = []

    def _is_responding(self) -> bool:
        """Return whether a request is being processed and its response is incomplete."""
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)  # pyright: ignore[reportUnnecessaryComparison] - None until the first request

    def _close_after_responses(self) -> None:
        """Close the connection after the responses to all requests that it has sent."""
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None:
            last.keep_alive = False
