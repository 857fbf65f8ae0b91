"""Defines the error of a system that cannot be started."""


class StartError(RuntimeError):
    """Something could not be started. The message is shown in the terminal."""
