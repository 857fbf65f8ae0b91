"""Moves batches from the stream into PostgreSQL."""
