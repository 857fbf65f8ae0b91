"""Stores and reads the history, and contains all SQL for PostgreSQL."""
