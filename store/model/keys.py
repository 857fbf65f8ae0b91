"""Defines the keys of chats and messages."""

from typing import TypeAlias

ChatAddress: TypeAlias = tuple[str, str]
"""(session_id, address)"""

MessageKey: TypeAlias = tuple[str, str]
"""(session_id, message_id). For the sessions of an account, session_id is the primary session
(store/history/sessions/accounts.py).
"""
