"""Serves the change feed, to polling clients and as an event stream."""
