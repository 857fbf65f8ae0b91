"""Locks, names and merges chats, and maintains their summaries."""
