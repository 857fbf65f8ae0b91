"""Callers by the tokens that were made for them; the bootstrap token is api/auth/access.py's own."""

import math
from collections.abc import Callable

import anyio.to_thread

from api.auth.rate_limit import Pace
from api.http.database import Backend
from api.http.errors import Refusal
from store.access import signouts, tokens
from store.access.tokens import Token
from store.postgres.connections import Connection


class Bearers:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._pace = Pace()

    async def find(self, bearer: str) -> Token | None:
        """Whose token it is, None if nobody's; raises Refusal if it is used too often, and TransientError."""
        if not bearer.startswith(tokens.PREFIX):
            return None
        return await self._paced(lambda connection: tokens.find(connection, bearer))

    async def signed_in(self, token_id: int) -> Token | None:
        """The token that a cookie was got for, None if it was revoked; raises as `find` does."""
        return await self._paced(lambda connection: tokens.working(connection, token_id))

    async def signed_out(self, nonce: str) -> bool:
        """Whether the sign-in that a cookie is of was ended; raises TransientError."""
        return await anyio.to_thread.run_sync(
            lambda: self._backend.ask(lambda connection: signouts.ended(connection, nonce))
        )

    async def _paced(self, question: Callable[[Connection], Token | None]) -> Token | None:
        token = await anyio.to_thread.run_sync(lambda: self._backend.ask(question))
        if token is not None and token.per_minute is not None:
            wait = self._pace.wait(token.name, token.per_minute)
            if wait:
                sentence = f"This token may ask {token.per_minute} times a minute."
                raise Refusal(429, "rate_limited", sentence, {"retry-after": str(math.ceil(wait))})
        return token

    async def note(self, caller: str, method: str, path: str, status: int) -> None:
        """Write down a request that changed something, or would have; raises StoreError."""

        def write() -> None:
            with self._backend.writes.connection() as connection:
                tokens.note(connection, caller, method, path, status)

        await anyio.to_thread.run_sync(write)
