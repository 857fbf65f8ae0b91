"""Writes logs and traces of every process, without message texts; each process has metrics of its own."""
