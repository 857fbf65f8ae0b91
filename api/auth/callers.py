"""Defines the caller of a request: its scopes, and the sessions whose data it may see."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from api.http.errors import ApiError
from store.access import session_directory
from store.access.session_directory import SessionDirectory
from store.access.tokens import BOOTSTRAP_NAME, Token


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    sessions: tuple[str, ...] | None
    """The sessions whose data the caller may see, or None for all."""
    scopes: frozenset[str]
    token_id: int | None = None
    """None for the bootstrap token."""
    per_minute: int | None = None
    """The number of requests per minute that its token may make, or None for any number."""
    expires_at: datetime | None = None
    """The time at which its token expires, or None if it never does."""
    sign_in_nonce: str | None = field(default=None, compare=False)
    """The nonce of the sign-in cookie, or None for a caller with a token."""
    signed_in_until: int | None = field(default=None, compare=False)
    """The time at which the sign-in ends, in seconds since 1970, or None if it has no fixed end."""
    directory: SessionDirectory = field(default=session_directory.EMPTY, compare=False, repr=False)

    @classmethod
    def of_token(cls, token: Token) -> Self:
        return cls(token.name, token.session_ids, token.scopes, token.token_id, token.per_minute, token.expires_at)

    def visible_sessions(self, session_id: str | None) -> tuple[str, ...] | None:
        """Return the visible sessions in the account of `session_id`, or all visible sessions if it is None.

        None means all sessions in the database.
        """
        if session_id is None:
            return self.sessions
        requested = self.directory.expand([session_id])
        return tuple(session for session in requested if self.sessions is None or session in self.sessions)

    def with_accounts(self, directory: SessionDirectory) -> Self:
        """Return the caller with all sessions of each account of which it may see a session or the phone."""
        sessions = None if self.sessions is None else directory.expand(self.sessions)
        return replace(self, sessions=sessions, directory=directory)

    def require_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ApiError(403, "scope_missing", f"This token lacks the scope {scope}.")

    def require_all_sessions(self, subject: str) -> None:
        """Raise ApiError unless the caller may see all sessions. `subject` begins the error's sentence."""
        if self.sessions is not None:
            raise ApiError(403, "all_sessions_needed", f"{subject} needs a token for all sessions.")


BOOTSTRAP_CALLER = Caller(BOOTSTRAP_NAME, None, frozenset({"read", "write", "admin"}))
