"""Folds events into sessions, chats and messages."""
