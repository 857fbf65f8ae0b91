"""Folds events into chats and messages."""
