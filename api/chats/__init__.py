"""Serves chats, conversations, search and exports."""
