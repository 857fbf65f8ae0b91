"""Counts refused signed webhooks in Redis for the doctor, because SAK does not send them again."""

import asyncio
import contextlib
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ingest import responses
from ingest.counters import Counters
from ingest.queue import contract

REPORT_SECONDS = 5.0
LOST_EVENT_CODES = tuple(each.code for each in (responses.NOT_KEPT, responses.OVERLOADED, responses.BODY_TOO_LARGE))


class RefusalReport:
    """The counts of refused webhooks, added to those in Redis. While Redis is unavailable, they are added later."""

    def __init__(self, client: Redis, counters: Counters) -> None:
        self._client = client
        self._counters = counters
        self._reported: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            await self.report()

    async def report(self) -> None:
        """Add the new refusals. After an error of Redis, the next call adds them."""
        refusals = self._counters.refusals
        new = {code: refusals.get(code, 0) - self._reported.get(code, 0) for code in LOST_EVENT_CODES}
        if not any(new.values()):
            return
        with contextlib.suppress(RedisError, OSError):
            pipeline = self._client.pipeline()
            for code, count in new.items():
                if count:
                    pipeline.hincrby(contract.REFUSED, code, count)
                    pipeline.hset(contract.REFUSED, f"{code}:at", str(round(time.time() * 1000)))
            if new[responses.BODY_TOO_LARGE.code]:
                largest = str(self._counters.largest_refused_body)
                pipeline.hset(contract.REFUSED, f"{responses.BODY_TOO_LARGE.code}:bytes", largest)
            await pipeline.execute()  # pyright: ignore[reportUnknownMemberType] - untyped
            self._reported.update({code: refusals.get(code, 0) for code in LOST_EVENT_CODES})
