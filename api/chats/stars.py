"""`POST /api/chats/{phone}/star` and `GET /api/starred`: stars messages, and lists starred messages."""

import json
from dataclasses import astuple

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import annotations
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import ApiError
from store.annotations import stars
from store.reading.messages import starred
from store.reading.messages.found_page import FoundMessage
from store.reading.messages.starred import StarredPosition

DEFAULT_LIMIT = 50
_CURSOR_KIND = "starred"


@annotations.endpoint
def set_star(request: Request, fields: dict[str, object]) -> Response:
    """Add a star to a message, or remove it."""
    message_id, is_starred = fields.get("message_id"), fields.get("starred", True)
    if not (isinstance(message_id, str) and message_id and parameters.is_storable(message_id)):
        raise errors.bad_parameter("message_id must be the id of a message.")
    if not isinstance(is_starred, bool):
        raise errors.bad_parameter("starred must be true or false.")
    scope = annotations.audited_scope(request)
    if not database.from_request(request).write(
        lambda connection: stars.set_star(connection, scope, message_id, starred=is_starred)
    ):
        raise ApiError(404, "message_not_found", "This chat has no message with that id.")
    return responses.success_object({"starred": is_starred})


def list_starred(request: Request) -> Response:
    """Respond with a page of starred messages of all chats, newest first. `cursor` continues with older ones."""
    limit = parameters.limit(request, DEFAULT_LIMIT)
    sessions = access.requested_sessions(request)
    label = parameters.text(request, "label")
    values = cursors.requested(request, "cursor", _CURSOR_KIND, int, int)
    after = None if values is None else StarredPosition(*values)
    page = database.from_request(request).read(
        lambda connection: starred.page(connection, sessions, label, after, limit)
    )
    cursor = cursors.to_json(_CURSOR_KIND, page.next_position and astuple(page.next_position))
    found = map(_with_name, page.messages)
    return responses.success_with_items('{"messages":[', found, f'],"cursor":{cursor}}}')


def _with_name(found: FoundMessage) -> str:
    return f'{found.json[:-1]},"name":{json.dumps(found.chat_name, ensure_ascii=False)}}}'
