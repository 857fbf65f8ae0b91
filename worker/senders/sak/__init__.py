"""Parses SAK's events, in every dialect, into the store's facts."""
