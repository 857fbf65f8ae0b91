"""Adds deadlines to a connection. A sweep over all connections (http_server.server) enforces them without timers."""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from http_server import error_responses
from http_server.bounded_reader import HEAD_SECONDS, LINGER_SECONDS, BoundedReader
from http_server.corked_transport import CorkedTransport
from http_server.direct_endpoint import MAX_DIRECT_BODY_BYTES, DirectEndpoint
from http_server.pipeline_flow_control import PipelineFlowControl

_SHUTDOWN_BODY_SECONDS = 1.0
"""The time in seconds that a body may take to complete at shutdown."""
_SHUTDOWN_IDLE_SECONDS = 0.2
"""The time in seconds for which an idle connection stays open at shutdown, in case a request is on its way."""


class BoundedProtocol(BoundedReader):
    """A connection with deadlines, whose requests are processed in order."""

    _accepted_bytes = -1
    """The number of bytes of responses that the client had accepted at the last sweep, or -1 if it had accepted all."""
    _unread_deadline = math.inf
    _starting: ASGI3Application | None = None
    """The application of a request whose head is read and whose processing has not started."""

    def __init__(
        self,
        *,
        direct: DirectEndpoint | None = None,
        is_known: Callable[[HTTPScope], bool] | None = None,
        **reader: Any,  # noqa: ANN401 - of the base class
    ) -> None:
        super().__init__(**reader)
        self._direct = direct
        self._is_known = is_known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._cork = CorkedTransport(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(self._cork)
        self.flow = self._turns = PipelineFlowControl(self._cork, self.pipeline)
        self._since = self.loop.time()
        self._deadline = self._since + HEAD_SECONDS
        self._table.add(self, self._since)
        self._table.set_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.remove(self)
        if self._running is not None:
            self._running.disconnected = True  # the base class informs only the newest request
        super().connection_lost(exc)
        self._reading_headers = self._reading_body = False
        self._forget_requests()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._starting is not None:
            self._start()

    def eof_received(self) -> bool | None:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio's own type
        """Keep the half-closed connection if the client is still waiting for a response."""
        waits = self._is_responding() and not self._reading_body and not self._cork.is_lingering
        if not waits or not self._bounds.answers_half_closed:
            self._cork.flush()  # the loop would close before sending the last response
            return None
        self._close_after_responses()
        return True

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._running is not None:
            self._running.body = bytearray()  # the part of the body that the application did not read
        if self._cork.is_lingering:
            self.flow.resume_reading()
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._table.queue(self._start_waiting)
        else:
            self.flow.resume_reading()
            if self._reading_headers:
                self._deadline = self.loop.time() + HEAD_SECONDS
            elif not self._reading_body:
                self._set_idle()
        if self.held_bytes:
            self._hold()

    def shutdown(self) -> None:
        self._shutting_down = True
        if self._is_responding():
            self._close_after_responses()
            self.loop.call_later(_SHUTDOWN_BODY_SECONDS, self._refuse_unfinished_body)
        else:
            self.loop.call_later(_SHUTDOWN_IDLE_SECONDS, self._close_if_idle)

    def sweep(self, now: float) -> None:
        """Close the connection if a deadline has passed, with a response if possible."""
        self._watch_unread(now)
        if now < self._deadline:
            return
        if self._is_late_body_fast_enough(now):
            return
        if self.transport.is_closing():
            self.transport.abort()
        elif self._reading_headers or self._reading_body:
            self._refuse(error_responses.REQUEST_TIMEOUT)
        else:
            self._deadline = now + LINGER_SECONDS
            self.transport.close()

    def _start_waiting(self) -> None:
        if self.pipeline and not self.transport.is_closing():
            self._start_asgi_task(*self.pipeline.pop())
            self._start()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        self._starting = app

    def _start(self) -> None:
        """Start to process the request, after all of its data that has arrived is parsed."""
        cycle, app = self._running, self._starting
        self._starting = None
        if cycle is None or app is None:
            return
        direct = self._direct
        if (
            direct is not None
            and not (cycle.more_body or cycle.disconnected or self.flow.write_paused)
            and len(cycle.body) <= MAX_DIRECT_BODY_BYTES
            and direct.serve(cycle.scope, bytes(cycle.body), partial(self._respond, cycle))
        ):
            cycle.body = bytearray()
        elif self._is_known is None or not self._table.is_crowded or self._is_known(cycle.scope):
            super()._start_asgi_task(cycle, app)
        else:
            self._table.queue(partial(self._start_task, cycle, app))

    def _start_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not (cycle.disconnected or self.transport.is_closing()):
            super()._start_asgi_task(cycle, app)

    def _respond(self, cycle: RequestResponseCycle, status: int, headers: bytes, body: bytes) -> None:
        if cycle.disconnected or cycle.response_started:
            return
        cycle.response_started = cycle.response_complete = True
        defaults = error_responses.encode_headers(cycle.default_headers)
        closing = b"" if cycle.keep_alive else b"connection: close\r\n"
        self._cork.write_at_once(b"".join((STATUS_LINE[status], defaults, headers, closing, b"\r\n", body)))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _watch_unread(self, now: float) -> None:
        """Close the connection if the client reads nothing of its responses."""
        unread = self._cork.get_write_buffer_size()
        if not unread:
            if self._accepted_bytes >= 0:
                self._accepted_bytes = -1
                self._hold()
            return
        accepted = self._cork.written_bytes - unread
        if accepted != self._accepted_bytes:
            self._accepted_bytes = accepted
            if not (self._reading_headers or self._reading_body):
                self._since = now
            self._unread_deadline = now + self._bounds.unread_seconds
        elif now >= self._unread_deadline:
            self._cork.abort()
        self._hold()

    def _is_late_body_fast_enough(self, now: float) -> bool:
        """Return whether a body that takes long arrives fast enough."""
        rate = self._bounds.min_body_rate
        return (
            rate is not None
            and self._reading_body
            and not self.cycle.response_complete
            and now < self._deadline + self._size.body_bytes / rate
        )

    def _refuse_unfinished_body(self) -> None:
        if self._reading_body:
            self._refuse(error_responses.REQUEST_TIMEOUT)

    def _close_if_idle(self) -> None:
        if not self._is_responding():
            self.transport.close()
