"""Records when each token was last used, outside of requests and at most once a minute."""

import asyncio
import logging
import time
from datetime import UTC, datetime

import anyio
import anyio.to_thread

from api.http.database import Database
from store.access import tokens
from store.access.tokens import Token
from store.postgres import errors

log = logging.getLogger(__name__)

_PRECISION_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
"""The time between two writes of a process in seconds, so that many tokens cause few writes."""


class TokenUses:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._limiter = anyio.CapacityLimiter(1)
        self._noted_at: dict[tuple[int, datetime], float] = {}
        """The time of the last note, by the token's id and creation, because a restored database may assign an id
        again.
        """
        self._unrecorded: dict[int, datetime] = {}
        self._noted = asyncio.Event()

    def note(self, token: Token) -> None:
        """Remember a request with the token. Call it in the event loop."""
        now, key = time.monotonic(), (token.token_id, token.created_at)
        if now - self._noted_at.get(key, -_PRECISION_SECONDS) >= _PRECISION_SECONDS:
            self._noted_at[key] = now
            self._unrecorded[token.token_id] = datetime.now(UTC)
            self._noted.set()

    async def run(self) -> None:
        """Record until cancelled.

        A time that cannot be recorded is dropped, because the next minute brings a newer one.
        """
        while True:
            await self._noted.wait()
            self._noted.clear()
            uses, self._unrecorded = self._unrecorded, {}
            try:
                await anyio.to_thread.run_sync(self._record, uses, limiter=self._limiter)
            except errors.StoreError as error:
                log.warning("last use of tokens not recorded: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _record(self, uses: dict[int, datetime]) -> None:
        self._database.write(lambda connection: tokens.record_use(connection, uses))
