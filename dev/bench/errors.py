"""Defines the error of a measured run with a wrong result."""


class WrongResultError(Exception):
    """A measured run gave a wrong result, so its figures are worthless."""
