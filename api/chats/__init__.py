"""Serves chats, messages, search and exports."""
