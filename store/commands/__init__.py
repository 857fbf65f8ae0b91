"""Implements the commands of `python -m store`, one module per command."""
