"""Parses SAK's events, in every event_format, into the store's facts."""
