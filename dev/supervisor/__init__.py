"""Starts the processes of the system and restarts what ends."""
