"""`GET /api/chats/{phone}`: a page of a conversation, oldest first."""

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import address, outages
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import Refusal
from store.postgres.connections import Connection
from store.reading import message_pages
from store.reading.chat_scope import Place
from store.reading.message_pages import Page, Position, Snapshot, Wanted

DEFAULT = 50
DIRECTIONS = ("incoming", "outgoing")
TYPES = (
    "text", "image", "video", "audio", "document", "sticker", "location", "contact", "poll", "system", "unknown",
)  # fmt: skip
_CURSOR = "messages"
_AS_OF = "as_of"
_NAMES = ("limit", "before", "after", "around", "at", "session_id", "direction", "type", "since", "until", "versions")


def messages(request: Request) -> Response:
    """The newest messages of a chat, or those before, after or around a place in it."""
    parameters.known(request, _NAMES)
    place = place_of(request)
    wanted = Wanted(
        place,
        parameters.limit(request, DEFAULT),
        direction=parameters.choice(request, "direction", DIRECTIONS),
        type=parameters.choice(request, "type", TYPES),
        since=parameters.moment(request, "since"),
        until=parameters.moment(request, "until"),
        versions=parameters.flag(request, "versions"),
    )
    before, after = _position(request, "before"), _position(request, "after")
    around, at = parameters.text(request, "around"), parameters.moment(request, "at")
    if sum(where is not None for where in (before, after, around, at)) > 1:
        raise errors.bad("bad_parameter", "A page lies before, after or around one place, or at a time: give one.")

    def question(connection: Connection) -> Page:
        if before:
            return message_pages.older(connection, wanted, before)
        if after:
            return message_pages.newer(connection, wanted, after)
        if around:
            return message_pages.around(connection, wanted, find(connection, place, around))
        if at is not None:
            return message_pages.around(connection, wanted, Position(at, 0, "", 0))
        return message_pages.newest(connection, wanted)

    page = database.of(request).look_at(question)
    named = page.address or place.address
    phone = json.dumps(None if "@" in named else named)
    return responses.success(
        f'{{"phoneNumber":{phone},"address":{json.dumps(named)},"messages":[{",".join(page.messages)}],'
        f'"before":{_seal(page.before)},"after":{_seal(page.after)},"as_of":{json.dumps(_seal_snapshot(page.as_of))},'
        f'"outages":{outages.of_page(request, page)}}}'
    )


def place_of(request: Request) -> Place:
    """The chat that a path names, within what the caller may see and asks for."""
    sessions = access.caller(request).may_see(parameters.text(request, "session_id"))
    return Place(address.read(request.path_params["phone"]), sessions)


def find(connection: Connection, place: Place, named: str) -> Position:
    """Where a cursor or a message id of this chat points; raises Refusal."""
    parts = cursors.open_if(_CURSOR, named, int, int, str, int)
    if parts is not None:
        return _of_parts(parts)
    position = message_pages.find(connection, place, named)
    if position is None:
        raise Refusal(404, "message_not_found", "This chat has no message with that id.")
    return position


def snapshot(text: str) -> Snapshot:
    """What the page could have shown whose `as_of` this is; raises Refusal."""
    epoch, shown = cursors.unseal(_AS_OF, "as_of", text, str, str)
    return Snapshot(cast("str", epoch), cast("str", shown))


def _position(request: Request, name: str) -> Position | None:
    text = parameters.opaque(request, name)
    return None if text is None else _of_parts(cursors.unseal(_CURSOR, name, text, int, int, str, int))


def _of_parts(parts: list[cursors.Part]) -> Position:
    timestamp, arrived, message_id, row_id = parts
    return Position(cast("int", timestamp), cast("int", arrived), cast("str", message_id), cast("int", row_id))


def _seal(position: Position | None) -> str:
    if position is None:
        return "null"
    return json.dumps(cursors.seal(_CURSOR, position.timestamp, position.arrived, position.message_id, position.id))


def _seal_snapshot(as_of: Snapshot) -> str:
    return cursors.seal(_AS_OF, as_of.epoch, as_of.snapshot)
