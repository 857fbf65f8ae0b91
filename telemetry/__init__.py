"""Logs and traces of every process: formatted for a person or for a machine, without message texts."""
