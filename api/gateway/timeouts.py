"""How long SAK is waited for, and what is asked again."""

import random
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from api.gateway.errors import LimitedError, SakError, UnknownError, UnreachableError

HARMLESS: tuple[type[SakError], ...] = (UnreachableError, LimitedError, UnknownError)
"""For calls whose repetition changes nothing: ask again after every failure that may pass."""
NOT_DONE: tuple[type[SakError], ...] = (UnreachableError, LimitedError)
"""For sends: ask again only where it was certainly not done."""
NOT_STARTED: tuple[type[SakError], ...] = (UnreachableError,)
"""For a file that can be read only once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, unless they say otherwise."""

    connect: float = 5.0
    answer: float = 10.0
    """One attempt of a call that may be repeated."""
    total: float = 30.0
    """A call with all its attempts and pauses; SAK's own send gives up after 25, for a video after 45."""
    doubt: float = 20.0
    """SAK calls a send failed when it only gave up waiting: a failure that took so long may have gone out."""
    pause: float = 0.25
    """Between two attempts, about doubled each time, where SAK tells no other."""
    longest_pause: float = 10.0
    """A rate limit that asks for more is reported instead of waited for."""
    attempts: int = 3
    """A number, not seconds."""

    def attempting(self, again_after: tuple[type[SakError], ...]) -> Retrying:
        return Retrying(retry=retry_if_exception_type(again_after), wait=self._wait, stop=self._hopeless, reraise=True)

    def _wait(self, state: RetryCallState) -> float:
        error = None if state.outcome is None else state.outcome.exception()
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 -- spreads callers, hides nothing
        if isinstance(error, LimitedError) and error.retry_after is not None:
            return error.retry_after + self.pause * jitter
        return self.pause * jitter * 2**state.attempt_number

    def _hopeless(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number >= self.attempts
            or state.upcoming_sleep > self.longest_pause
            or (state.seconds_since_start or 0.0) + state.upcoming_sleep >= self.total
        )
