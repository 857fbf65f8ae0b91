"""Limits the number of concurrent requests of a caller, so that nobody takes all threads and connections."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from api.http.errors import ApiError

MAX_WAIT_SECONDS = 2.0
"""The time in seconds that a request waits for an earlier request of the same caller to finish."""


class ConcurrencyLimiter:
    """The slots of each caller. Each process counts separately."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._semaphores: dict[object, asyncio.Semaphore] = {}
        self._users: dict[object, int] = {}

    @contextlib.asynccontextmanager
    async def slot(self, caller: object) -> AsyncGenerator[None]:
        """Hold a slot of the caller. Raises ApiError if none becomes free in time."""
        semaphore = self._semaphores.setdefault(caller, asyncio.Semaphore(self._slots))
        self._users[caller] = self._users.get(caller, 0) + 1
        try:
            try:
                async with asyncio.timeout(MAX_WAIT_SECONDS):
                    await semaphore.acquire()
            except TimeoutError:
                sentence = f"{self._slots} such requests of this token are running; try again when they have finished."
                raise ApiError(503, "too_many_requests_at_once", sentence, {"retry-after": "2"}) from None
            try:
                yield
            finally:
                semaphore.release()
        finally:
            self._users[caller] -= 1
            if not self._users[caller]:
                del self._users[caller], self._semaphores[caller]
