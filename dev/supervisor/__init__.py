"""Starts the processes of the system and restarts those that end."""
