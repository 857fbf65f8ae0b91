"""Finds the sessions of one phone number and merges their histories."""
