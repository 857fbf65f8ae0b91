"""Defines the error of backfills. Its message says what happened and what to do."""


class BackfillError(Exception):
    """The gateway cannot be read."""
