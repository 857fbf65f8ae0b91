"""Defines facts, batches, addresses and timestamps; imports no other package of this project."""
