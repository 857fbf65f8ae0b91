"""Detects within a second that a token was revoked or expired or that a sign-in ended, so that open responses end."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from typing import TypeAlias

import anyio
import anyio.to_thread

from api.auth.callers import Caller
from api.http.database import Database
from store.access import signouts, tokens
from store.postgres import errors
from store.postgres.connections import Connection

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.5
_Credential: TypeAlias = tuple[int | None, str | None]
"""The id of a token (None for the bootstrap token) and the nonce of a sign-in (None if the caller did not sign in)."""
_NEVER_REVOKED: _Credential = (None, None)


class RevocationWatch:
    """A poll of PostgreSQL for all open responses of the process, which runs as long as there are any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limiter = anyio.CapacityLimiter(1)
        self._waiting: Counter[_Credential] = Counter()
        self._revoked: set[_Credential] = set()
        self._checked = asyncio.Condition()

    async def run(self) -> None:
        """Check until cancelled. While the database is unavailable, nothing counts as revoked."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            waiting = self._waiting.keys() - {_NEVER_REVOKED}
            if not waiting:
                continue
            try:
                self._revoked = await anyio.to_thread.run_sync(self._find_revoked, waiting, limiter=self._limiter)
            except errors.TransientError as error:
                log.warning("revoked tokens unknown: %s", error)
                continue
            if self._revoked:
                async with self._checked:
                    self._checked.notify_all()

    async def wait(self, caller: Caller) -> None:
        """Return when the caller's token is revoked or expires, or its sign-in ends."""
        credential = (caller.token_id, caller.sign_in_nonce)
        # The token was valid a moment ago, so an earlier result must be from before a restore of the database.
        self._revoked.discard(credential)
        self._waiting[credential] += 1
        try:
            ends_in = None if caller.signed_in_until is None else caller.signed_in_until - time.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ends_in), self._checked:
                    await self._checked.wait_for(lambda: credential in self._revoked)
        finally:
            self._waiting[credential] -= 1
            if not self._waiting[credential]:
                del self._waiting[credential]

    def _find_revoked(self, credentials: set[_Credential]) -> set[_Credential]:
        def query(connection: Connection) -> tuple[set[int], set[str]]:
            token_ids = [token_id for token_id, _ in credentials if token_id is not None]
            nonces = [nonce for _, nonce in credentials if nonce is not None]
            active = {token.token_id for token in tokens.find_active(connection, token_ids)}
            return active, signouts.find_ended(connection, nonces)

        active, ended = self._database.read_primary(query)
        return {
            (token_id, nonce)
            for token_id, nonce in credentials
            if (token_id is not None and token_id not in active) or nonce in ended
        }
