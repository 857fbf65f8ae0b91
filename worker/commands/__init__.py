"""Implements the commands of `python -m worker`."""
