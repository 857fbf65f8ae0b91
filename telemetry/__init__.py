"""Writes logs and traces of every process, for a person or for a machine, without message texts."""
