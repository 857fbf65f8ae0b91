"""`GET /api/chats` and `/api/chat-counts`: the list of chats, newest or longest waiting first, and its counts."""

import json
from dataclasses import astuple
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import messages
from api.http import cursors, database, errors, parameters, responses
from store.model.facts import ChatKind, Direction
from store.postgres.connections import Connection
from store.reading.chats import chat_counts, chat_list, similar_chats
from store.reading.chats.chat_activity import ChatActivity
from store.reading.chats.chat_list import ChatFilter, ChatListPage, ChatPosition

DEFAULT_LIMIT = 100
CHAT_KINDS = ("phone", "group", "lid", "newsletter", "broadcast", "other")
SORTS = ("last_message_at", "waiting_since")
_CURSOR_KINDS = {None: "chats", "last_message_at": "chats", "waiting_since": "waiting_chats"}
"""The kind of the cursor by order, so that a cursor of one order is not valid in the other."""


def list_chats(request: Request) -> Response:
    """Respond with a page of chats. `cursor` (or `before`) continues with older chats, `after` with newer ones."""
    limit = parameters.limit(request, DEFAULT_LIMIT)
    chat_filter = ChatFilter(
        sessions=access.requested_sessions(request),
        unread=parameters.boolean(request, "unread"),
        unmarked=parameters.boolean(request, "unmarked"),
        waiting=parameters.boolean(request, "waiting"),
        kind=cast("ChatKind | None", parameters.choice(request, "kind", CHAT_KINDS)),
        label=parameters.text(request, "label"),
        search_text=parameters.text(request, "q"),
        activity=_parse_activity(request),
    )
    sort = parameters.choice(request, "sort", SORTS)
    cursor, before, after = (_decode_position(request, name, sort) for name in ("cursor", "before", "after"))
    before = cursor or before
    if before and after:
        raise errors.bad_parameter("Give either before (or cursor) or after, not both.")
    if after and sort == "waiting_since":
        raise errors.bad_parameter("after is for the newest chats: with sort=waiting_since, give cursor.")

    def query(connection: Connection) -> ChatListPage:
        page = query_page(connection)
        if page.chats or chat_filter.search_text is None or before or after:
            return page
        return similar_chats.find(connection, chat_filter, limit)

    def query_page(connection: Connection) -> ChatListPage:
        if sort == "waiting_since":
            return chat_list.longest_waiting(connection, chat_filter, before, limit)
        if after:
            return chat_list.newer(connection, chat_filter, after, limit)
        if before:
            return chat_list.older(connection, chat_filter, before, limit)
        return chat_list.newest(connection, chat_filter, limit)

    page = database.from_request(request).read(query)
    older, newer = (cursors.to_json(_CURSOR_KINDS[sort], at and astuple(at)) for at in (page.older, page.newer))
    return responses.success_with_items(
        '{"contacts":[',
        page.chats,
        f'],"cursor":{older},"before":{older},"after":{newer},"fuzzy":{json.dumps(page.fuzzy)}}}',
    )


def count_chats(request: Request) -> Response:
    """Respond with the numbers of all, unread, waiting and group chats, each at most `chat_counts.MAX_COUNT`."""
    sessions = access.requested_sessions(request)
    counts = database.from_request(request).read(lambda connection: chat_counts.read(connection, sessions))
    return responses.success_object(counts)


def _parse_activity(request: Request) -> ChatActivity | None:
    """Return the period and the direction in the query, or None if there is neither. Raises ApiError."""
    since, until = parameters.timestamp(request, "since"), parameters.timestamp(request, "until")
    direction = cast("Direction | None", parameters.choice(request, "direction", messages.DIRECTIONS))
    answered = parameters.boolean(request, "answered")
    if answered and direction:
        raise errors.bad_parameter("answered is about messages of both directions: omit direction.")
    if since is None and until is None and direction is None and not answered:
        return None
    return ChatActivity(since, until, direction, answered)


def _decode_position(request: Request, parameter: str, sort: str | None) -> ChatPosition | None:
    values = cursors.requested(request, parameter, _CURSOR_KINDS[sort], int, int)
    return None if values is None else ChatPosition(*values)
