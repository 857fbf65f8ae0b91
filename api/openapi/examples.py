"""Examples of parameters, bodies and responses. The tests check them against their schemas."""

from typing import Any, Final

_AT = "2025-06-15T15:06:40.000Z"
_TOKEN: dict[str, Any] = {
    "id": 3,
    "name": "wall",
    "state": "active",
    "single_sign_on": False,
    "scopes": ["read"],
    "sessions": ["s1"],
    "per_minute": 600,
    "created_at": _AT,
    "created_by": "bootstrap",
    "expires_at": "2099-12-31T00:00:00.000Z",
    "last_used_at": None,
    "revoked_at": None,
}
_SEND: dict[str, Any] = {
    "messageId": "3EB0C767D82A3E0B0C5C",
    "status": "sent",
    "send_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "session_id": "s1",
    "to": "919811000001",
    "message_type": "text",
    "code": None,
    "reason": None,
    "timestamp": 1750000000000,
    "created_at": _AT,
}
_CHAT: dict[str, Any] = {
    "phone_number": "919811000001",
    "name": "Asha",
    "last_message_at": _AT,
    "unread_count": 1,
    "unmarked_count": 1,
    "session_id": "s1",
    "address": "919811000001",
    "kind": "phone",
    "marked_unread": False,
    "labels": [],
    "waiting_since": _AT,
    "last_message": {
        "id": 7,
        "message_id": "M1",
        "direction": "incoming",
        "message_type": "text",
        "raw_type": "conversation",
        "preview": "Hi, do you have this in stock?",
        "status": None,
        "timestamp": 1750000000000,
        "created_at": _AT,
        "sender_name": None,
    },
    "rev": 4,
}

PARAMETERS: Final[dict[str, object]] = {"phone": "919811000001", "q": "order 5512", "Idempotency-Key": "order-5512"}
"""Examples of parameters, by name."""
REQUESTS: Final[dict[str, object]] = {
    "create_send": {"to": "919811000001", "text": "Your order is on its way"},
    "update_read_flag": {"up_to": "M1"},
    "request_redrive": {"reason": "not_json"},
    "create_token": {"name": "wall", "scopes": ["read"], "sessions": ["s1"], "expires_at": "2099-12-31"},
    "change_token": {"expires_at": "2099-12-31"},
}
"""Examples of JSON bodies, by the id of the operation."""
RESPONSES: Final[dict[str, object]] = {
    "list_chats": {"contacts": [_CHAT], "cursor": None, "before": None, "after": None, "fuzzy": False},
    "count_chats": {"all": 12, "unread": 3, "waiting": 2, "groups": 1},
    "update_read_flag": {"unread_count": 0, "marked_unread": False},
    "create_send": _SEND,
    "get_send": _SEND,
    "list_tokens": {"tokens": [_TOKEN], "cursor": None},
    "create_token": {**_TOKEN, "token": "sakt_made-up", "link": None, "qr": None},
    "change_token": _TOKEN,
    "revoke_token": {**_TOKEN, "state": "revoked", "revoked_at": _AT},
    "list_audit": {
        "entries": [
            {
                "id": 9,
                "at": _AT,
                "caller": "asha",
                "method": "POST",
                "route": "/api/chats/{phone}/read",
                "status": 200,
                "chats": [{"session_id": "s1", "address": "919811000001", "name": "Asha"}],
                "token": None,
            }
        ],
        "cursor": None,
    },
    "get_sign_in": {"name": "asha", "scopes": ["read", "write"], "sessions": None, "csrf": "made-up"},
    "create_stream_ticket": {"ticket": "made-up", "expires_at": _AT},
}
"""The field `data` by the id of the operation."""
