"""Defines the errors of calls to gateways, by whether the call was executed. No message contains a key or a secret."""

MAX_MESSAGE_LENGTH, MAX_CODE_LENGTH = 300, 64
"""The number of characters of a gateway's text and of its error code that errors repeat."""


class GatewayError(Exception):
    """The base class, with the gateway's error code and the HTTP status if it responded."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NotConfiguredError(GatewayError):
    """A setting is missing, so the gateway was not called."""


class RefusedError(GatewayError):
    """The gateway rejected the request. It was not executed and would fail again."""


class IncompleteFileError(GatewayError):
    """The file ended before its declared size. The gateway received an incomplete request, so nothing was executed."""


class UnreachableError(GatewayError):
    """No byte of the request was sent, so it was certainly not executed."""


class RateLimitedError(GatewayError):
    """The gateway's rate limit was exceeded and the request was not executed.

    It may be repeated after `retry_after` seconds (None if the gateway gave no time).
    """

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, code=code, status=429)
        self.retry_after = retry_after


_RATE_LIMIT_SECONDS = 60.0
"""The window of SAK's rate limit in seconds, for responses that do not contain the remaining time."""


def retry_after(error: GatewayError) -> float | None:
    """Return the seconds until a request that exceeded the rate limit may be repeated, or None for another error."""
    if not isinstance(error, RateLimitedError):
        return None
    return _RATE_LIMIT_SECONDS if error.retry_after is None else error.retry_after


class OutcomeUnknownError(GatewayError):
    """The request was sent, but there is no usable response, so it may have been executed.

    Never repeat a send automatically.
    """

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
        """The duration of the call, where the gateway responded."""
        self.gateway_message = gateway_message
        """The gateway's own reason, where it gave one."""
