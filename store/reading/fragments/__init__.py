"""Defines the SQL that several queries share: the JSON of chats and messages, what is unread, the scope of a reader."""
