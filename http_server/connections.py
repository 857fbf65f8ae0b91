"""Tracks the connections of a process, and chooses which to close if there are too many or they use much memory."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Protocol

from http_server.bounds import ConnectionBounds

SHED_CODE = "connection_shed"
"""The code under which connections are counted that were closed for newer ones."""
CROWD = 64
"""The number of connections above which requests of unknown clients wait for those of known ones."""
_KEPT_SHARE = 0.75
"""The share of the limit to which refusals reduce memory, so that the next byte does not cause another refusal."""
_OLDEST_UNFINISHED = 16
"""The number of unfinished requests that are compared by age. The oldest one may be a large body that arrives
steadily.
"""
QUEUED_IN_A_TURN = 4
"""The number of queued actions per turn: requests that waited behind others of their connection, and discarded reads.
"""
_YOUNGEST_SECONDS = 0.1
"""Younger requests count as this many seconds old, so that among new requests the largest is refused first."""
BURST_SECONDS = 1.0
"""The age in seconds below which requests are refused only above BURST_FACTOR times the limit, because many large
bodies may arrive at once.
"""
BURST_FACTOR = 2
CHECK_SECONDS = 0.1
"""The time between two checks for older requests, in seconds."""


class ClientConnection(Protocol):
    """The interface that this module requires of a connection."""

    held_bytes: int
    """The size of its unfinished requests and unread responses."""

    def age(self, now: float) -> float:
        """Return the seconds for which it has been idle, or by which its request is late."""
        ...

    def refuse(self) -> None:
        """Respond that the process is busy, if possible, and release all memory."""
        ...

    def drop(self) -> None:
        """Close at once, without a response."""
        ...


class Connections:
    """All connections.

    The time of each method is independent of their number, except for a refusal because of memory.
    """

    def __init__(self, bounds: ConnectionBounds, count_refusal: Callable[[str], None]) -> None:
        self.bounds = bounds
        self.count_refusal = count_refusal
        self.open: dict[ClientConnection, None] = {}
        self.held_bytes = 0
        # Connections are in the order in which they entered the state.
        self._idle: dict[ClientConnection, None] = {}
        self._unfinished: dict[ClientConnection, None] = {}
        self._queue: deque[Callable[[], None]] = deque()
        self._queue_is_scheduled = False
        self._next_check = 0.0

    def add(self, connection: ClientConnection, now: float) -> None:
        """Add an open connection. If there are too many, close the one that has waited longest for its client.

        If every connection is waiting for its response instead, close the new one.
        """
        if len(self.open) >= self.bounds.max_connections:
            waiting = [*itertools.islice(self._idle, 1), *itertools.islice(self._unfinished, _OLDEST_UNFINISHED)]
            victim = max(waiting, key=lambda each: each.age(now), default=connection)
            self.count_refusal(SHED_CODE)
            self._forget(victim)
            victim.drop()
        self.open[connection] = None

    def remove(self, connection: ClientConnection) -> None:
        """Remove a closed connection."""
        self.open.pop(connection, None)
        self._forget(connection)

    def set_idle(self, connection: ClientConnection) -> None:
        """Record that the connection waits for a request."""
        self._unfinished.pop(connection, None)
        self._idle[connection] = None

    def set_active(self, connection: ClientConnection) -> None:
        """Record that a request is arriving or being answered."""
        self._idle.pop(connection, None)

    def set_unfinished(self, connection: ClientConnection, *, unfinished: bool) -> None:
        """Record whether a part of the connection's request is missing."""
        if unfinished:
            self._unfinished.setdefault(connection)
        else:
            self._unfinished.pop(connection, None)

    @property
    def is_crowded(self) -> bool:
        return len(self.open) > CROWD

    @property
    def is_half_full(self) -> bool:
        """True if half of the memory limit is used."""
        return self.held_bytes > self.bounds.max_unfinished_bytes / 2

    def hold(self, connection: ClientConnection, size: int, now: float) -> None:
        """Record the number of bytes that a connection holds.

        If the limit is exceeded, the connections that have held the most for the longest are refused.
        """
        self.held_bytes += size - connection.held_bytes
        connection.held_bytes = size
        if self.held_bytes > BURST_FACTOR * self.bounds.max_unfinished_bytes:
            self._refuse_largest(now, 0)
        elif self.held_bytes > self.bounds.max_unfinished_bytes and now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._refuse_largest(now, BURST_SECONDS)

    def queue(self, action: Callable[[], None]) -> None:
        """Call `action` in a later turn of the event loop, a few in each, so that other connections get their turn."""
        self._queue.append(action)
        if not self._queue_is_scheduled:
            self._queue_is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_some)

    def _run_some(self) -> None:
        self._queue_is_scheduled = False
        some = [self._queue.popleft() for _ in range(min(len(self._queue), QUEUED_IN_A_TURN))]
        for action in some:
            action()
        if self._queue and not self._queue_is_scheduled:
            self._queue_is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_some)

    def _refuse_largest(self, now: float, min_age: float) -> None:
        holders = [
            connection
            for connection in self.open
            if connection.held_bytes and (not min_age or connection.age(now) >= min_age)
        ]
        # Sort by bytes and seconds: a large body that arrives quickly comes from a good client and is refused after a
        # stalled one.
        holders.sort(key=lambda each: each.held_bytes * max(each.age(now), _YOUNGEST_SECONDS))
        while holders and self.held_bytes > _KEPT_SHARE * self.bounds.max_unfinished_bytes:
            victim = holders.pop()
            self.held_bytes -= victim.held_bytes
            victim.held_bytes = 0
            victim.refuse()

    def _forget(self, connection: ClientConnection) -> None:
        self.held_bytes -= connection.held_bytes
        connection.held_bytes = 0
        self._idle.pop(connection, None)
        self._unfinished.pop(connection, None)
