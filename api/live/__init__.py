"""Serves changes as they happen."""
