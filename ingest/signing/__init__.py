"""Verifies signatures with secrets that may change at any time."""
