"""Verifies signatures as `environment/sender_kinds.py` describes them, with secrets that may change at any time."""
