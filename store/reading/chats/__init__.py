"""Reads the list of chats, their counts and their profiles."""
