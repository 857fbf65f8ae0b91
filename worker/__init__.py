"""Drains the stream into PostgreSQL, exactly once per event, and keeps the database in order between drains."""
