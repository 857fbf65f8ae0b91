"""Looks up the tokens of callers and limits their rates. api/auth/access.py checks the bootstrap token itself."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anyio.to_thread

from api.auth.accounts import AccountDirectory
from api.auth.rate_limit import RateLimiter
from api.auth.token_uses import TokenUses
from api.http.database import Database
from api.http.errors import ApiError
from store.access import audit, signouts, stream_tickets, tokens
from store.access.stream_tickets import TicketHolder
from store.access.tokens import Token
from store.postgres.connections import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuditSubjects:
    """The objects that an audited request was about."""

    chat_ids: Sequence[int]
    token_id: int | None


class TokenAuthenticator:
    def __init__(self, database: Database, uses: TokenUses) -> None:
        self._database = database
        self._uses = uses
        self.accounts = AccountDirectory(database)
        self._rate_limiter = RateLimiter()

    async def authenticate(self, bearer: str) -> Token | None:
        """Return the token with this secret, or None.

        Raises TransientError, and ApiError if the token's rate limit is exceeded.
        """
        if not bearer.startswith(tokens.PREFIX):
            return None
        return await self._find_rate_limited(lambda connection: tokens.find_by_secret(connection, bearer))

    async def find_by_id(self, token_id: int) -> Token | None:
        """Return the token of a sign-in, or None if it was revoked. Raises the same errors as `authenticate`."""
        return await self._find_rate_limited(lambda connection: tokens.find_by_id(connection, token_id))

    async def is_signed_out(self, nonce: str) -> bool:
        """Return whether the sign-in was ended. Raises TransientError."""
        return await anyio.to_thread.run_sync(
            lambda: self._database.read_primary(lambda connection: signouts.is_signed_out(connection, nonce))
        )

    async def redeem_ticket(self, ticket: str) -> TicketHolder | None:
        """Use up the ticket and return the caller that may open a stream with it. Raises StoreError."""
        return await self._write(lambda connection: stream_tickets.redeem(connection, ticket))

    async def _find_rate_limited(self, query: Callable[[Connection], Token | None]) -> Token | None:
        token = await anyio.to_thread.run_sync(lambda: self._database.read_primary(query))
        if token is not None:
            self._uses.note(token)
        if token is not None and token.per_minute is not None:
            wait = self._rate_limiter.acquire(token.token_id, token.per_minute)
            if wait:
                sentence = f"This token may make {token.per_minute} requests a minute."
                raise ApiError(429, "rate_limited", sentence, {"retry-after": str(math.ceil(wait))})
        return token

    async def record_audit(self, caller: str, method: str, route: str, status: int, subjects: AuditSubjects) -> None:
        """Record a request that changed something or tried to. Raises StoreError."""
        await self._write(
            lambda connection: audit.record(
                connection, caller, method, route, status, chat_ids=subjects.chat_ids, token_id=subjects.token_id
            )
        )

    async def _write(self, statement: Callable[[Connection], T]) -> T:
        return await anyio.to_thread.run_sync(self._database.write, statement)
