"""Names every operation: its id, which becomes a function name in generated clients, and its tag.

An id never changes, because regenerated clients would lose the function.
"""

from typing import Final

CHATS, LIVE, SENDING, NUMBERS, PEOPLE = "Chats", "Changes", "Sending", "Operations", "People"
TAGS: Final = (
    (CHATS, "Chats, their messages, search and exports."),
    (LIVE, "What changes, as pages and as a stream."),
    (SENDING, "Sends and their outcomes."),
    (NUMBERS, "Statistics, the ledger, sessions and parked events."),
    (PEOPLE, "Signing in, tokens and the audit log."),
)
OPERATIONS: Final = {
    "get /api/chats": ("list_chats", CHATS),
    "get /api/chat-counts": ("count_chats", CHATS),
    "get /api/chats/{phone}": ("list_messages", CHATS),
    "post /api/chats/{phone}/read": ("update_read_flag", CHATS),
    "get /api/chats/{phone}/profile": ("get_profile", CHATS),
    "get /api/chats/{phone}/details": ("get_details", CHATS),
    "post /api/chats/{phone}/star": ("set_star", CHATS),
    "post /api/chats/{phone}/labels": ("change_labels", CHATS),
    "post /api/chats/{phone}/notes": ("add_note", CHATS),
    "post /api/chats/{phone}/notes/{id}": ("change_note", CHATS),
    "delete /api/chats/{phone}/notes/{id}": ("delete_note", CHATS),
    "get /api/starred": ("list_starred", CHATS),
    "get /api/labels": ("list_labels", CHATS),
    "get /api/chats/{phone}/export": ("export_chat", CHATS),
    "get /api/sessions/{session_id}/export": ("export_session", CHATS),
    "get /api/search": ("search_messages", CHATS),
    "get /api/changes": ("list_changes", LIVE),
    "get /api/stream": ("stream", LIVE),
    "post /api/stream-tickets": ("create_stream_ticket", LIVE),
    "post /api/send": ("create_send", SENDING),
    "get /api/sends/{id}": ("get_send", SENDING),
    "post /api/sends/{id}/reconcile": ("reconcile_send", SENDING),
    "get /api/push": ("get_push_key", LIVE),
    "post /api/push": ("subscribe_device", LIVE),
    "delete /api/push": ("unsubscribe_device", LIVE),
    "get /api/stats": ("get_statistics", NUMBERS),
    "get /api/ledger": ("get_ledger", NUMBERS),
    "get /api/sessions": ("list_sessions", NUMBERS),
    "patch /api/sessions/{session_id}": ("change_session", NUMBERS),
    "get /api/parked": ("list_parked", NUMBERS),
    "get /api/parked/reasons": ("list_reasons", NUMBERS),
    "post /api/parked/redrive": ("request_redrive", NUMBERS),
    "get /api/parked/redrive/{id}": ("get_redrive", NUMBERS),
    "get /api/test-events": ("describe_test_events", NUMBERS),
    "post /api/test-events": ("send_test_event", NUMBERS),
    "get /api/test-events/{digest}": ("get_test_event", NUMBERS),
    "delete /api/test-events/{digest}": ("remove_test_event", NUMBERS),
    "get /api/session": ("get_sign_in", PEOPLE),
    "post /api/session": ("sign_in", PEOPLE),
    "delete /api/session": ("sign_out", PEOPLE),
    "get /api/tokens": ("list_tokens", PEOPLE),
    "post /api/tokens": ("create_token", PEOPLE),
    "patch /api/tokens/{id}": ("change_token", PEOPLE),
    "delete /api/tokens/{id}": ("revoke_token", PEOPLE),
    "get /api/audit": ("list_audit", PEOPLE),
    "get /api/docs": ("get_reference", PEOPLE),
}
