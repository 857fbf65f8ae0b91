"""Deletes what is older than the configured age."""
