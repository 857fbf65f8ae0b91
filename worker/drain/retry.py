"""Retries work after transient errors of the store, with growing, jittered pauses.

No other error is retried. RQ's timeout is an ordinary exception, which would be swallowed if all errors were retried.
"""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from store.postgres.errors import TransientError

T = TypeVar("T")


def retry_transient(
    work: Callable[[], T], *, seconds: float, should_stop: Callable[[], bool], on_retry: Callable[[], None]
) -> T:
    """Return the result of `work`, retried after transient errors for about `seconds`.

    Then the last error is raised. `on_retry` runs before each retry; `should_stop` ends the retries early.
    """

    def stop(state: RetryCallState) -> bool:
        return should_stop() or (state.seconds_since_start or 0.0) >= seconds

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop,
        wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.1),
        before_sleep=lambda _: on_retry(),
        reraise=True,
    )(work)
