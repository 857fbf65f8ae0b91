"""Appends batches to the stream in Redis, and tracks the state of that Redis."""
