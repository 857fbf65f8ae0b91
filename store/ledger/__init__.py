"""Counts every received event exactly once, lists parked events and noise, and finds lost events."""
