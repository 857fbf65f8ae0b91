"""Connections to PostgreSQL, and the tools that every query uses."""
