"""Defines the error of an environment with which a process cannot start."""


class SettingsError(ValueError):
    """A variable is missing or contradicts another. The message is a sentence that names the variable."""
