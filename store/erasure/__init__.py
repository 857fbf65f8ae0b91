"""Erases a person on request and drops later copies of what was erased."""
