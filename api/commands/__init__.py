"""Implements the commands of `python -m api`."""
