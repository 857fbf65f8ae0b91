"""Decides when a connection reads: not while a request waits behind another one, and in turn with other connections."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class PipelineFlowControl(FlowControl):
    """Flow control that reads only while no request waits behind another one, and in turn."""

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline
        self._waits_for_turn = False
        self._is_wanted = True
        """True while the application accepts more data."""

    def pause_reading(self) -> None:
        self._is_wanted = False
        super().pause_reading()

    def resume_reading(self) -> None:
        self._is_wanted = True
        if not self._pipeline and not self._waits_for_turn:
            super().resume_reading()

    def yield_turn(self, queue: Callable[[Callable[[], None]], None]) -> None:
        """Pause, and resume when the queue reaches the connection, if the application still accepts data."""
        if not self._waits_for_turn:
            self._waits_for_turn = True
            super().pause_reading()
            queue(self._take_turn)

    def _take_turn(self) -> None:
        self._waits_for_turn = False
        if self._is_wanted:
            self.resume_reading()
