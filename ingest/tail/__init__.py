"""Keeps the newest batches that Redis confirmed, because a Redis may lose confirmed data."""
