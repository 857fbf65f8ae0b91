"""Starts PostgreSQL and Valkey for one machine, without containers or root."""
