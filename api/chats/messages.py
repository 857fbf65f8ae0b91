"""`GET /api/chats/{phone}`: returns a page of a conversation, oldest first."""

import json
from dataclasses import astuple
from typing import cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import address, outages
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import ApiError
from store.model.facts import Direction, MessageType
from store.postgres.connections import Connection
from store.reading.fragments.chat_scope import ChatScope
from store.reading.messages import message_pages
from store.reading.messages.message_pages import ContentFilter, MessagePage, MessagePosition, MessageQuery, ReadSnapshot

DEFAULT_LIMIT = 50
DIRECTIONS: tuple[str, ...] = get_args(Direction)
MESSAGE_TYPES: tuple[str, ...] = get_args(MessageType)
CONTENTS: tuple[str, ...] = get_args(ContentFilter)
_CURSOR_KIND = "messages"
_CURSOR_TYPES = (int, int, str, int)
_SNAPSHOT_KIND = "as_of"


def list_messages(request: Request) -> Response:
    """Respond with the newest messages of a chat, or with those before, after or around a position or time."""
    scope = requested_scope(request)
    message_query = MessageQuery(
        scope,
        parameters.limit(request, DEFAULT_LIMIT),
        direction=parameters.choice(request, "direction", DIRECTIONS),
        type=parameters.choice(request, "type", MESSAGE_TYPES),
        since=parameters.timestamp(request, "since"),
        until=parameters.timestamp(request, "until"),
        starred=parameters.boolean(request, "starred"),
        has=cast("ContentFilter | None", parameters.choice(request, "has", CONTENTS)),
        include_versions=parameters.boolean(request, "versions"),
    )
    before, after = _decode_position(request, "before"), _decode_position(request, "after")
    around, at = parameters.text(request, "around"), parameters.timestamp(request, "at")
    if sum(anchor is not None for anchor in (before, after, around, at)) > 1:
        raise errors.bad_parameter("Give only one of before, after, around and at.")

    def query(connection: Connection) -> MessagePage:
        if before:
            return message_pages.older(connection, message_query, before)
        if after:
            return message_pages.newer(connection, message_query, after)
        if around:
            return message_pages.around(connection, message_query, resolve_anchor(connection, scope, around))
        if at is not None:
            return message_pages.around(connection, message_query, MessagePosition(at, 0, "", 0))
        return message_pages.newest(connection, message_query)

    page = database.from_request(request).read_page(query)
    canonical = page.canonical_address or scope.address
    phone = json.dumps(None if "@" in canonical else canonical)
    older, newer = (cursors.to_json(_CURSOR_KIND, at and astuple(at)) for at in (page.older, page.newer))
    as_of = cursors.encode(_SNAPSHOT_KIND, page.as_of.epoch, page.as_of.pg_snapshot)
    return responses.success_with_items(
        f'{{"phoneNumber":{phone},"address":{json.dumps(canonical)},"messages":[',
        page.messages,
        f'],"before":{older},"after":{newer},"as_of":{json.dumps(as_of)},'
        f'"outages":{outages.page_json(request, page)}}}',
    )


def requested_scope(request: Request) -> ChatScope:
    """Return the chat in the path, limited to the caller's sessions and the requested one."""
    sessions = access.requested_sessions(request)
    return ChatScope(address.parse(request.path_params["phone"]), sessions)


def resolve_anchor(connection: Connection, scope: ChatScope, anchor: str) -> MessagePosition:
    """Return the position given by a cursor or by the id of a message in this chat. Raises ApiError."""
    values = cursors.try_decode(_CURSOR_KIND, anchor, *_CURSOR_TYPES)
    if values is not None:
        return MessagePosition(*values)
    position = message_pages.locate(connection, scope, anchor)
    if position is None:
        raise ApiError(404, "message_not_found", "This chat has no message with that id.")
    return position


def decode_snapshot(text: str) -> ReadSnapshot:
    """Return the snapshot of a page from its `as_of`. Raises ApiError."""
    return ReadSnapshot(*cursors.decode(_SNAPSHOT_KIND, "as_of", text, str, str))


def _decode_position(request: Request, parameter: str) -> MessagePosition | None:
    values = cursors.requested(request, parameter, _CURSOR_KIND, *_CURSOR_TYPES)
    return None if values is None else MessagePosition(*values)
