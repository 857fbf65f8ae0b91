"""Defines the time limits and retries of calls to gateways."""

import random
from dataclasses import dataclass
from typing import TypeAlias

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from api.gateway.errors import GatewayError, OutcomeUnknownError, RateLimitedError, UnreachableError

ErrorTypes: TypeAlias = tuple[type[GatewayError], ...]

RETRYABLE_IF_IDEMPOTENT: ErrorTypes = (UnreachableError, RateLimitedError, OutcomeUnknownError)
"""For idempotent calls: retry after every transient failure."""
RETRYABLE_IF_NOT_EXECUTED: ErrorTypes = (UnreachableError, RateLimitedError)
"""For sends: retry only if the request was certainly not executed."""
AMBIGUOUS_FAILURE_SECONDS = 20.0
"""The time in seconds after which a message that SAK reports as failed may have been sent, because SAK reports a
timeout in the same way.
"""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of a call in seconds."""

    connect: float = 5.0
    attempt: float = 10.0
    """The limit of one attempt of an idempotent call."""
    total: float = 30.0
    """The limit of a call with all attempts and pauses. SAK itself times out a send after 25."""
    video_total: float = 50.0
    """The limit for a video, which SAK times out after 45."""
    ambiguous_failure: float = AMBIGUOUS_FAILURE_SECONDS
    pause: float = 0.25
    """The pause before the first retry. It doubles with each retry, unless SAK specifies another."""
    max_pause: float = 10.0
    """A rate limit with a longer pause is reported as an error."""
    max_attempts: int = 3

    def retrying(self, retry_on: ErrorTypes) -> Retrying:
        retry = retry_if_exception_type(retry_on)
        return Retrying(retry=retry, wait=self._next_pause, stop=self._should_stop, reraise=True)

    def _next_pause(self, state: RetryCallState) -> float:
        error = None if state.outcome is None else state.outcome.exception()
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            return error.retry_after + self.pause * jitter
        return self.pause * jitter * 2**state.attempt_number

    def _should_stop(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number >= self.max_attempts
            or state.upcoming_sleep > self.max_pause
            or (state.seconds_since_start or 0.0) + state.upcoming_sleep >= self.total
        )
