"""Defines the SQL that several queries share: the JSON of chats and messages, and the scope of a reader."""
