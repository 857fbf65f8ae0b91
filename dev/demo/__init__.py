"""Simulates a business with chats, for demonstrations."""
