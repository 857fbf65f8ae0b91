"""Names every operation: its id, which becomes a function name in generated clients, and its tag.

An id never changes, because regenerated clients would lose the function.
"""

from typing import Final

CHATS_TAG, CHANGES_TAG, SENDING_TAG, OPERATIONS_TAG, PEOPLE_TAG = "Chats", "Changes", "Sending", "Operations", "People"
TAGS: Final = (
    (CHATS_TAG, "Chats, their messages, search and exports."),
    (CHANGES_TAG, "Changes, in pages and as a stream."),
    (SENDING_TAG, "Sends and their outcomes."),
    (OPERATIONS_TAG, "Statistics, the ledger, sessions and parked events."),
    (PEOPLE_TAG, "Signing in, tokens and the audit log."),
)
OPERATIONS: Final = {
    "get /api/chats": ("list_chats", CHATS_TAG),
    "get /api/chat-counts": ("count_chats", CHATS_TAG),
    "get /api/chats/{phone}": ("list_messages", CHATS_TAG),
    "post /api/chats/{phone}/read": ("update_read_flag", CHATS_TAG),
    "get /api/chats/{phone}/profile": ("get_profile", CHATS_TAG),
    "get /api/chats/{phone}/details": ("get_details", CHATS_TAG),
    "post /api/chats/{phone}/star": ("set_star", CHATS_TAG),
    "post /api/chats/{phone}/labels": ("change_labels", CHATS_TAG),
    "post /api/chats/{phone}/notes": ("add_note", CHATS_TAG),
    "post /api/chats/{phone}/notes/{id}": ("change_note", CHATS_TAG),
    "delete /api/chats/{phone}/notes/{id}": ("delete_note", CHATS_TAG),
    "get /api/starred": ("list_starred", CHATS_TAG),
    "get /api/labels": ("list_labels", CHATS_TAG),
    "get /api/chats/{phone}/export": ("export_chat", CHATS_TAG),
    "get /api/sessions/{session_id}/export": ("export_session", CHATS_TAG),
    "get /api/search": ("search_messages", CHATS_TAG),
    "get /api/changes": ("list_changes", CHANGES_TAG),
    "get /api/stream": ("stream", CHANGES_TAG),
    "post /api/stream-tickets": ("create_stream_ticket", CHANGES_TAG),
    "post /api/send": ("create_send", SENDING_TAG),
    "get /api/sends/{id}": ("get_send", SENDING_TAG),
    "post /api/sends/{id}/reconcile": ("reconcile_send", SENDING_TAG),
    "get /api/push": ("get_push_key", CHANGES_TAG),
    "post /api/push": ("subscribe_device", CHANGES_TAG),
    "delete /api/push": ("unsubscribe_device", CHANGES_TAG),
    "get /api/stats": ("get_statistics", OPERATIONS_TAG),
    "get /api/ledger": ("get_ledger", OPERATIONS_TAG),
    "get /api/sessions": ("list_sessions", OPERATIONS_TAG),
    "patch /api/sessions/{session_id}": ("change_session", OPERATIONS_TAG),
    "get /api/parked": ("list_parked", OPERATIONS_TAG),
    "get /api/parked/reasons": ("list_reasons", OPERATIONS_TAG),
    "post /api/parked/redrive": ("request_redrive", OPERATIONS_TAG),
    "get /api/parked/redrive/{id}": ("get_redrive", OPERATIONS_TAG),
    "get /api/test-events": ("describe_test_events", OPERATIONS_TAG),
    "post /api/test-events": ("send_test_event", OPERATIONS_TAG),
    "get /api/test-events/{digest}": ("get_test_event", OPERATIONS_TAG),
    "delete /api/test-events/{digest}": ("remove_test_event", OPERATIONS_TAG),
    "get /api/session": ("get_sign_in", PEOPLE_TAG),
    "post /api/session": ("sign_in", PEOPLE_TAG),
    "delete /api/session": ("sign_out", PEOPLE_TAG),
    "get /api/tokens": ("list_tokens", PEOPLE_TAG),
    "post /api/tokens": ("create_token", PEOPLE_TAG),
    "patch /api/tokens/{id}": ("change_token", PEOPLE_TAG),
    "delete /api/tokens/{id}": ("revoke_token", PEOPLE_TAG),
    "get /api/audit": ("list_audit", PEOPLE_TAG),
    "get /api/docs": ("get_reference", PEOPLE_TAG),
}
