"""Defines facts, batches, keys, addresses and timestamps; imports no other package of this project."""
