"""Stores and reads the history in PostgreSQL, and contains all SQL of the project."""
