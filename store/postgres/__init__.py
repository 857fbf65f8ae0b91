"""Connections to PostgreSQL and how to ask it."""
