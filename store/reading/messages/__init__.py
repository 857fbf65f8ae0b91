"""Reads pages of messages, and everything known about one message."""
