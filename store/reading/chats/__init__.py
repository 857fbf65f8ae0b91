"""Reads the list of chats and their profiles, and marks chats as read."""
