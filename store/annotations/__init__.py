"""Writes the stars, labels, notes, names and read marks that users add to the history."""
