"""Locks, names, summarises and merges chats."""
