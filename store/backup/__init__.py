"""Dumps and restores the database."""
