"""Defines the error for a batch that was not confirmed as stored."""


class NotConfirmedError(Exception):
    """A batch was not confirmed. `reason` is a stable code such as `oom` or `unreachable`."""

    def __init__(self, reason: str, *, may_be_stored: bool) -> None:
        super().__init__(reason)
        self.may_be_stored = may_be_stored
        """True if the batch may be stored nevertheless, because a confirmation was lost."""
