"""What can come of a call to SAK, but an answer. None of their texts holds a token, a key or a secret."""


class SakError(Exception):
    """A sentence; with SAK's own error code and the HTTP status where SAK answered."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NotConfiguredError(SakError):
    """A setting is missing: SAK was not called."""


class RefusedError(SakError):
    """SAK understood and said no: what was asked for was not done, and asking again is no use."""


class IncompleteFileError(SakError):
    """The file ended before its announced size: SAK got no whole request, so it did nothing."""


class UnreachableError(SakError):
    """Not a byte of the request went out: what was asked for was certainly not done."""


class RateLimitedError(SakError):
    """SAK's rate limit: it was not done, and can be asked again after `retry_after` seconds (None: not told)."""

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, code=code, status=429)
        self.retry_after = retry_after


class OutcomeUnknownError(SakError):
    """The request went out and no usable answer came: it may have been done. Never send again by machine."""

    def __init__(
        self, message: str, *, code: str | None = None, status: int | None = None, elapsed_seconds: float | None = None
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.elapsed_seconds = elapsed_seconds
        """How long the answer took, where there was one."""
