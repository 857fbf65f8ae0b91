"""Locks message keys, and stores messages and their updates."""
