"""Moves batches from the tail and the spool to the stream, oldest first."""
