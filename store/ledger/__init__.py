"""Counts every received event exactly once."""
