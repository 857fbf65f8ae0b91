"""How long SAK is waited for, and what is asked again."""

import random
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from api.gateway.errors import OutcomeUnknownError, RateLimitedError, SakError, UnreachableError

RETRYABLE_IF_IDEMPOTENT: tuple[type[SakError], ...] = (UnreachableError, RateLimitedError, OutcomeUnknownError)
"""For calls whose repetition changes nothing: ask again after every failure that may pass."""
RETRYABLE_IF_NOT_EXECUTED: tuple[type[SakError], ...] = (UnreachableError, RateLimitedError)
"""For sends: ask again only where it was certainly not done."""
RETRYABLE_IF_NOT_SENT: tuple[type[SakError], ...] = (UnreachableError,)
"""For a file that can be read only once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, unless they say otherwise."""

    connect: float = 5.0
    attempt: float = 10.0
    """One attempt of a call that may be repeated."""
    total: float = 30.0
    """A call with all its attempts and pauses; SAK's own send gives up after 25, for a video after 45."""
    ambiguous_failure: float = 20.0
    """SAK calls a send failed when it only gave up waiting: a failure that took so long may have gone out."""
    pause: float = 0.25
    """Between two attempts, about doubled each time, where SAK tells no other."""
    max_pause: float = 10.0
    """A rate limit that asks for more is reported instead of waited for."""
    max_attempts: int = 3
    """A number, not seconds."""

    def retrying(self, retry_on: tuple[type[SakError], ...]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(retry_on), wait=self._next_pause, stop=self._should_stop, reraise=True
        )

    def _next_pause(self, state: RetryCallState) -> float:
        error = None if state.outcome is None else state.outcome.exception()
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 -- spreads callers, hides nothing
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            return error.retry_after + self.pause * jitter
        return self.pause * jitter * 2**state.attempt_number

    def _should_stop(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number >= self.max_attempts
            or state.upcoming_sleep > self.max_pause
            or (state.seconds_since_start or 0.0) + state.upcoming_sleep >= self.total
        )
