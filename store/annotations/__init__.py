"""Stores stars, labels and notes, which users add to the history."""
