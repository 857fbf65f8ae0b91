"""`GET /api/chats`: the list of chats, newest first."""

import json
from dataclasses import astuple
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
    limit = parameters.limit(request, DEFAULT_LIMIT)
    chat_filter = ChatFilter(
        sessions=access.caller(request).visible_sessions(parameters.text(request, "session_id")),
        unread=parameters.boolean(request, "unread"),
        unmarked=parameters.boolean(request, "unmarked"),
        waiting=parameters.boolean(request, "waiting"),
        kind=cast("ChatKind | None", parameters.choice(request, "kind", CHAT_KINDS)),
        search_text=parameters.text(request, "q"),
    )
    cursor, before, after = (_decode_position(request, name) for name in ("cursor", "before", "after"))
    before = cursor or before
    if before and after:
        raise errors.bad_request("bad_parameter", "Give either before (or cursor) or after, not both.")

    def query(connection: Connection) -> ChatListPage:
        if after:
            return chat_list.newer(connection, chat_filter, after, limit)
        if before:
            return chat_list.older(connection, chat_filter, before, limit)
        return chat_list.newest(connection, chat_filter, limit)

    page = database.from_request(request).read(query)
    chats, older, newer = ",".join(page.chats), _position_json(page.older), _position_json(page.newer)
    return responses.success(f'{{"contacts":[{chats}],"cursor":{older},"before":{older},"after":{newer}}}')


def _decode_position(request: Request, parameter: str) -> ChatPosition | None:
    values = cursors.requested(request, parameter, _CURSOR_KIND, int, int)
    return None if values is None else ChatPosition(*values)


def _position_json(position: ChatPosition | None) -> str:
    return "null" if position is None else json.dumps(cursors.encode(_CURSOR_KIND, *astuple(position)))
