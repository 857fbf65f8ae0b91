"""`GET /api/chats/{phone}/details`: returns everything known about one message."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import messages
from api.http import database, errors, parameters, responses, timestamps
from api.http.errors import ApiError
from store.postgres.connections import Connection
from store.reading.messages import message_details
from store.reading.messages.message_details import RawEvent


def get_details(request: Request) -> Response:
    """Respond with a message, its earlier texts, receipts and copies, and if `raw` is set, its raw events."""
    scope = messages.requested_scope(request)
    message_id = parameters.text(request, "message_id")
    if message_id is None:
        raise errors.bad_parameter("message_id is required.")
    caller = access.caller(request)
    is_raw = parameters.boolean(request, "raw")
    if is_raw:
        caller.require_scope("admin")

    def query(connection: Connection) -> str | None:
        message = message_details.read(connection, scope, message_id)
        if message is None:
            return None
        row_id, details = message
        events = message_details.raw_events(connection, row_id, caller.sessions) if is_raw else None
        listed = None if events is None else [_event_fields(event) for event in events]
        return f'{details[:-1]},"events":{json.dumps(listed, ensure_ascii=False)}}}'

    found = database.from_request(request).read_primary(query)
    if found is None:
        raise ApiError(404, "message_not_found", "This chat has no message with that id.")
    return responses.success(found)


def _event_fields(event: RawEvent) -> dict[str, object]:
    return {
        "sender": event.sender,
        "received_at": timestamps.format_utc(event.received_at),
        "body": event.body.decode("utf-8", "backslashreplace"),
    }
