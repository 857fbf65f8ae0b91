"""The connections of one process, and which of them is closed when there are too many or they hold too much memory."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Protocol

from http_server.bounds import ConnectionBounds

SHED_CODE = "connection_shed"
"""How a connection is counted that was closed for a newer one."""
KEPT_SHARE = 0.75
"""How much of the bytes remains after connections were refused, so that the next byte does not refuse again."""
OLDEST_UNFINISHED = 16
"""How many unfinished requests are compared by age: the oldest may be a body that takes long and arrives well."""
QUEUED_IN_A_TURN = 4
"""Requests that waited behind others of their connection, and reads of data that is discarded."""
YOUNGEST_SECONDS = 0.1
"""The age at which an unfinished request counts at least: of new ones the largest goes first."""
BURST_SECONDS = 1.0
"""Younger requests are refused only beyond BURST_FACTOR times the bytes: many large bodies may arrive at once."""
BURST_FACTOR = 2
CHECK_SECONDS = 0.1
"""The pause between two looks for older ones."""


class Connection(Protocol):
    """One connection, as seen from here."""

    held_bytes: int
    """Bytes of its unfinished requests and unread responses."""

    def age(self, now: float) -> float:
        """Seconds for which it has been idle, or by which its request is late."""
        ...

    def refuse(self) -> None:
        """Answer that the process is busy, where that is possible, and hold nothing any more."""
        ...

    def drop(self) -> None:
        """Close at once, without an answer."""
        ...


class Connections:
    """All of them; each method takes a time independent of their number, apart from a refusal for memory."""

    def __init__(self, bounds: ConnectionBounds, count_refusal: Callable[[str], None]) -> None:
        self.bounds = bounds
        self.count_refusal = count_refusal
        self.open: dict[Connection, None] = {}
        self.held_bytes = 0
        # Both in the order in which they became so.
        self._idle: dict[Connection, None] = {}
        self._unfinished: dict[Connection, None] = {}
        self._queue: deque[Callable[[], None]] = deque()
        self._queue_is_scheduled = False
        self._next_check = 0.0

    def add(self, connection: Connection, now: float) -> None:
        """Add an open connection; if there are too many, the one that has waited for its client longest is closed.

        Where every connection waits for its answer instead, it is the new one.
        """
        if len(self.open) >= self.bounds.max_connections:
            waiting = [*itertools.islice(self._idle, 1), *itertools.islice(self._unfinished, OLDEST_UNFINISHED)]
            victim = max(waiting, key=lambda each: each.age(now), default=connection)
            self.count_refusal(SHED_CODE)
            self._forget(victim)
            victim.drop()
        self.open[connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection that is closed."""
        self.open.pop(connection, None)
        self._forget(connection)

    def set_idle(self, connection: Connection) -> None:
        """Note that the connection waits for a request."""
        self._unfinished.pop(connection, None)
        self._idle[connection] = None

    def set_active(self, connection: Connection) -> None:
        """Note that a request arrives or is answered."""
        self._idle.pop(connection, None)

    def set_unfinished(self, connection: Connection, *, unfinished: bool) -> None:
        """Note whether a part of its request is missing."""
        if unfinished:
            self._unfinished.setdefault(connection)
        else:
            self._unfinished.pop(connection, None)

    @property
    def is_half_full(self) -> bool:
        """Whether half of the bytes that may be held are held."""
        return self.held_bytes > self.bounds.max_unfinished_bytes / 2

    def hold(self, connection: Connection, size: int, now: float) -> None:
        """Note what a connection holds; those that hold the most for the longest are refused where that is too much."""
        self.held_bytes += size - connection.held_bytes
        connection.held_bytes = size
        if self.held_bytes > BURST_FACTOR * self.bounds.max_unfinished_bytes:
            self._refuse_greediest(now, 0)
        elif self.held_bytes > self.bounds.max_unfinished_bytes and now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._refuse_greediest(now, BURST_SECONDS)

    def queue(self, action: Callable[[], None]) -> None:
        """Call it in a later turn of the event loop, a few in each, so that other connections have their turn."""
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

    def _refuse_greediest(self, now: float, min_age: float) -> None:
        holders = [each for each in self.open if each.held_bytes and (not min_age or each.age(now) >= min_age)]
        # By bytes and seconds: a large body that arrives at once is a good client's, and goes after one that stalls.
        holders.sort(key=lambda each: each.held_bytes * max(each.age(now), YOUNGEST_SECONDS))
        while holders and self.held_bytes > KEPT_SHARE * self.bounds.max_unfinished_bytes:
            victim = holders.pop()
            self.held_bytes -= victim.held_bytes
            victim.held_bytes = 0
            victim.refuse()

    def _forget(self, connection: Connection) -> None:
        self.held_bytes -= connection.held_bytes
        connection.held_bytes = 0
        self._idle.pop(connection, None)
        self._unfinished.pop(connection, None)
