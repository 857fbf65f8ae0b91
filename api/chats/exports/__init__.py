"""Streams the messages of a chat or of a session as a file."""
