"""Finds messages by words, parts of words and numbers."""
