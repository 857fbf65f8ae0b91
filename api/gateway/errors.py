"""Errors of calls to SAK, by whether the call was executed. No message contains a token, key or secret."""


class SakError(Exception):
    """The base of all; has SAK's error code and the HTTP status where SAK responded."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NotConfiguredError(SakError):
    """A setting is missing: SAK was not called."""


class RefusedError(SakError):
    """SAK rejected the request: it was not executed, and fails the same way when repeated."""


class IncompleteFileError(SakError):
    """The file ended before its declared size: SAK got an incomplete request, so nothing was executed."""


class UnreachableError(SakError):
    """No byte of the request was sent: it was certainly not executed."""


class RateLimitedError(SakError):
    """SAK's rate limit: not executed; may be repeated after `retry_after` seconds (None: SAK did not say)."""

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, code=code, status=429)
        self.retry_after = retry_after


RATE_LIMIT_SECONDS = 60.0
"""The window of SAK's rate limit, for answers that do not say how much of it is left."""


def retry_after(error: SakError) -> float | None:
    """Seconds until a request that SAK's rate limit refused may be repeated; None for another error."""
    if not isinstance(error, RateLimitedError):
        return None
    return RATE_LIMIT_SECONDS if error.retry_after is None else error.retry_after


class OutcomeUnknownError(SakError):
    """The request was sent, without a usable response: it may have been executed. Never repeat a send automatically."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        elapsed_seconds: float | None = None,
        gateway_message: str | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.elapsed_seconds = elapsed_seconds
        """The duration of the call, where SAK responded."""
        self.gateway_message = gateway_message
        """SAK's own reason, where it gave one."""
