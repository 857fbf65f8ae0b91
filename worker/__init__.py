"""Writes queued events to PostgreSQL, once each, whatever dies meanwhile."""
