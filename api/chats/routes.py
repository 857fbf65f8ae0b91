"""`GET /api/chats`: the list of chats, newest first."""

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import cursors, database, errors, parameters, responses
from store.model.facts import ChatKind
from store.postgres.connections import Connection
from store.reading import chat_list
from store.reading.chat_list import ChatFilter, ChatListPage, ChatPosition

DEFAULT_LIMIT = 100
CHAT_KINDS = ("phone", "group", "lid", "newsletter", "broadcast", "other")
_CURSOR_KIND = "chats"


def list_chats(request: Request) -> Response:
    """A page of chats; `cursor` (or `before`) continues with older ones, `after` with those that are newer since."""
    parameters.reject_repeated(
        request, ("limit", "cursor", "before", "after", "session_id", "unread", "waiting", "kind", "q")
    )
    limit = parameters.limit(request, DEFAULT_LIMIT)
    chat_filter = ChatFilter(
        sessions=access.caller(request).visible_sessions(parameters.text(request, "session_id")),
        unread=parameters.boolean(request, "unread"),
        waiting=parameters.boolean(request, "waiting"),
        kind=cast("ChatKind | None", parameters.choice(request, "kind", CHAT_KINDS)),
        search_text=parameters.text(request, "q"),
    )
    before = _decode_position(request, "cursor") or _decode_position(request, "before")
    after = _decode_position(request, "after")
    if before and after:
        raise errors.bad_request("bad_parameter", "Give either before (or cursor) or after, not both.")

    def query(connection: Connection) -> ChatListPage:
        if after:
            return chat_list.newer(connection, chat_filter, after, limit)
        if before:
            return chat_list.older(connection, chat_filter, before, limit)
        return chat_list.newest(connection, chat_filter, limit)

    page = database.from_request(request).read(query)
    cursor = _encode_position(page.older)
    return responses.success(
        f'{{"contacts":[{",".join(page.chats)}],"cursor":{cursor},"before":{cursor},"after":{_encode_position(page.newer)}}}'
    )


def _decode_position(request: Request, parameter: str) -> ChatPosition | None:
    text = parameters.cursor(request, parameter)
    if text is None:
        return None
    timestamp, chat_id = cursors.decode(_CURSOR_KIND, parameter, text, int, int)
    return ChatPosition(cast("int", timestamp), cast("int", chat_id))


def _encode_position(position: ChatPosition | None) -> str:
    return (
        "null" if position is None else json.dumps(cursors.encode(_CURSOR_KIND, position.timestamp, position.chat_id))
    )
