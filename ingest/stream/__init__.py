"""Appends batches to the stream in Redis, and knows in what state that Redis is."""
