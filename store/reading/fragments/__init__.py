"""Defines the SQL that several queries share: the JSON of chats and messages, the scope of a reader, the rule of unread."""
