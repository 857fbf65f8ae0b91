"""Writes batches into the history, each in one transaction."""
