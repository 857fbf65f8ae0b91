"""HTTP/1.1 with deadlines and bounds: uvicorn's own protocol waits for ever for headers and bodies.

A sweep over all connections (ingest.server) enforces the deadlines, so that a request costs no timer of its own.
"""

import asyncio
import math
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ingest import responses
from ingest.corked_transport import Cork
from ingest.responses import Refusal

HEAD_SECONDS = 5.0
BODY_SECONDS = 8.0
"""SAK itself gives up after 8 seconds."""
ANSWER_SECONDS = 30.0
"""More than any answer of ours takes: what is still open then is a client that does not read."""
HEAD_BYTES = 64 << 10
LAST_SECONDS = 1.0
"""How long the rest of a body is waited for when the process ends."""
LINGER_SECONDS = 0.2
"""How long an idle connection stays open when the process ends: a request may be on its way in it."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _cork: Cork
    _deadline = math.inf
    """When the sweep ends it; infinite while it is idle between two requests, where uvicorn's keep-alive counts."""
    _in_head = False
    _in_body = False
    _head_bytes = 0
    _ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._cork = Cork(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(self._cork)
        self._deadline = self.loop.time() + HEAD_SECONDS

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._deadline == math.inf:
            # Set by whatever comes: line breaks before a request begin none, and would keep a connection for ever.
            self._deadline = self.loop.time() + HEAD_SECONDS
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess] - None only once the connection is lost
        except httptools.HttpParserUpgrade:
            # The request was answered as it stands; what follows it would be in a protocol that we do not speak.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._break_off(responses.MALFORMED)
        else:
            if self._in_head:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES:
                    self._break_off(responses.HEAD_TOO_LARGE)

    def eof_received(self) -> bool | None:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio's own type
        """The client has said all it will: keep the connection if it still waits for an answer."""
        if not self._answering() or self._in_body:
            self._cork.flush()  # or the loop would close before what was just answered
            return None
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
        self._in_body = True
        self._deadline = self.loop.time() + BODY_SECONDS
        if self._ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._deadline = self.loop.time() + ANSWER_SECONDS

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_head:
            self._deadline = self.loop.time() + HEAD_SECONDS
        elif not self._in_body:
            self._deadline = self.loop.time() + ANSWER_SECONDS if self._answering() else math.inf

    def shutdown(self) -> None:
        self._ending = True
        if self._answering():
            self.cycle.keep_alive = False
            self.loop.call_later(LAST_SECONDS, self._end_if_in_body)
        else:
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)

    def end_if_late(self, now: float) -> None:
        """Called by the sweep: a deadline that has passed ends the connection, with an answer where one is possible."""
        if now < self._deadline:
            return
        self._deadline = now + HEAD_SECONDS
        if self.transport.is_closing() or (self._answering() and not self._in_body):
            self.transport.abort()
        elif self._in_head or self._in_body:
            self._break_off(responses.TOO_SLOW)
        else:
            self.transport.close()

    def _answering(self) -> bool:
        """Whether a request has begun to be worked on whose answer is not complete."""
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)  # pyright: ignore[reportUnnecessaryComparison] - None until the first request

    def _end_if_in_body(self) -> None:
        if self._in_body:
            self._break_off(responses.TOO_SLOW)

    def _close_if_idle(self) -> None:
        if not self._answering():
            self.transport.close()

    def _break_off(self, refusal: Refusal) -> None:
        """Refuse what cannot be read to its end. An earlier request in the same connection still gets its answer."""
        self._deadline = self.loop.time() + HEAD_SECONDS
        if self._answering() and not self._in_body:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not self._in_body or not (self.pipeline or self.cycle.response_started):
            self.app_state["counts"].refuse(refusal.code)
            self.transport.write(self._whole(refusal))
        self.transport.close()

    def _whole(self, refusal: Refusal) -> bytes:
        headers = [*self.server_state.default_headers, *responses.headers(refusal)]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        return STATUS_LINE[refusal.status] + head + b"\r\n" + refusal.body
