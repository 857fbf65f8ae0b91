"""How long to keep trying when PostgreSQL is away: within one slice of a job, with growing, jittered pauses.

Only the store's transient errors are tried again. RQ's time-out is an exception like any other, and a retry that
catches everything would swallow it.
"""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from store.postgres.errors import TransientError

Result = TypeVar("Result")


def retry_transient(
    work: Callable[[], Result], *, seconds: float, should_stop: Callable[[], bool], on_retry: Callable[[], None]
) -> Result:
    """What `work` returns, tried again after transient errors for about `seconds`; then its last error is raised.

    `before_next` runs before every further try; `stopping` ends the trying early.
    """

    def stop(state: RetryCallState) -> bool:
        return should_stop() or (state.seconds_since_start or 0.0) >= seconds

    def again(_: RetryCallState) -> None:
        on_retry()

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop,
        wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.1),
        before_sleep=again,
        reraise=True,
    )(work)
