"""The error of an environment that a process cannot start with."""


class SettingsError(ValueError):
    """A variable is missing or contradicts another; the message is a sentence that names the variable."""
