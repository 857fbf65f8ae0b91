"""Decides what is kept, and holds the only SQL."""
