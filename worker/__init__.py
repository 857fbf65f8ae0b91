"""Drains the stream into PostgreSQL, exactly once per event, and maintains the database between drains."""
