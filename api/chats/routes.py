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
from store.reading.chat_list import Filter, Page, Position

DEFAULT = 100
KINDS = ("phone", "group", "lid", "newsletter", "broadcast", "other")
_CURSOR = "chats"


def chats(request: Request) -> Response:
    """A page of chats; `cursor` (or `before`) goes on with older ones, `after` asks what came to the top since."""
    parameters.known(request, ("limit", "cursor", "before", "after", "session_id", "unread", "waiting", "kind", "q"))
    limit = parameters.limit(request, DEFAULT)
    wanted = Filter(
        sessions=access.caller(request).may_see(parameters.text(request, "session_id")),
        unread=parameters.flag(request, "unread"),
        waiting=parameters.flag(request, "waiting"),
        kind=cast("ChatKind | None", parameters.choice(request, "kind", KINDS)),
        q=parameters.text(request, "q"),
    )
    below = _position(request, "cursor") or _position(request, "before")
    above = _position(request, "after")
    if below and above:
        raise errors.bad("bad_parameter", "A page lies before a cursor or after one, not both.")

    def question(connection: Connection) -> Page:
        if above:
            return chat_list.newer(connection, wanted, above, limit)
        if below:
            return chat_list.older(connection, wanted, below, limit)
        return chat_list.newest(connection, wanted, limit)

    page = database.of(request).look(question)
    cursor = _seal(page.older)
    return responses.success(
        f'{{"contacts":[{",".join(page.contacts)}],"cursor":{cursor},"before":{cursor},"after":{_seal(page.newer)}}}'
    )


def _position(request: Request, name: str) -> Position | None:
    text = parameters.opaque(request, name)
    if text is None:
        return None
    timestamp, chat_id = cursors.unseal(_CURSOR, name, text, int, int)
    return Position(cast("int", timestamp), cast("int", chat_id))


def _seal(position: Position | None) -> str:
    return "null" if position is None else json.dumps(cursors.seal(_CURSOR, position.timestamp, position.chat_id))
