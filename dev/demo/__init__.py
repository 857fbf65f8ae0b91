"""A pretend business that chats, for demonstrations."""
