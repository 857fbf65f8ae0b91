"""Moves batches from the stream into PostgreSQL, and retries after transient errors."""
