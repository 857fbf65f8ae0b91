"""Connects to PostgreSQL, and contains the tools that every query uses."""
