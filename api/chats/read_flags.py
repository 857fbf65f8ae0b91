"""`POST /api/chats/{phone}/read`: a reader saw a chat, or wants it shown as unread again."""

import json
from dataclasses import dataclass
from typing import Self, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import messages
from api.http import database, errors, parameters, responses
from api.http.errors import ApiError
from store.postgres import errors as store_errors
from store.reading import read_flags
from store.reading.message_pages import ReadSnapshot
from store.reading.read_flags import UnreadState

_MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReadFlagRequest:
    """What a body asks for; an empty body asks for everything."""

    up_to: str | None
    as_of: ReadSnapshot | None
    mark_unread: bool

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises Refusal."""
        try:
            found: object = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError) as error:
            raise errors.bad_request("bad_json", "The body is not JSON.") from error
        if not isinstance(found, dict):
            raise errors.bad_request("bad_json", "The body must be a JSON object.")
        fields = cast("dict[str, object]", found)
        up_to, as_of, unread = (fields.get(name) for name in ("up_to", "as_of", "unread"))
        if not (up_to is None or (isinstance(up_to, str) and up_to and parameters.is_storable(up_to))):
            raise errors.bad_request("bad_parameter", "up_to must be a message_id.")
        if not (as_of is None or isinstance(as_of, str)):
            raise errors.bad_request("bad_parameter", "as_of must be the as_of of a page.")
        if not (unread is None or isinstance(unread, bool)):
            raise errors.bad_request("bad_parameter", "unread must be true or false.")
        if unread and (up_to or as_of):
            raise errors.bad_request(
                "bad_parameter", "unread goes without up_to and as_of: it concerns the whole chat."
            )
        return cls(up_to, messages.decode_snapshot(as_of) if as_of is not None else None, unread is True)


async def update_read_flag(request: Request) -> Response:
    """Mark as read what the reader's page could have shown; says what is still unread."""
    body = await parameters.read_body(request, _MAX_BODY_BYTES)
    return await run_in_threadpool(_update, request, body)


def _update(request: Request, body: bytes) -> Response:
    access.caller(request).require_scope("write")
    parameters.reject_repeated(request, ("session_id",))
    place = messages.requested_scope(request)
    order = ReadFlagRequest.parse(body)
    pools = database.from_request(request)
    if order.mark_unread:
        with pools.write_pool.connection() as connection:
            return _unread_response(read_flags.mark_unread(connection, place))
    named = order.up_to
    up_to = (
        None
        if named is None
        else pools.read_primary(lambda connection: messages.resolve_anchor(connection, place, named))
    )
    try:
        with pools.write_pool.connection() as connection:
            return _unread_response(read_flags.mark_read(connection, place, up_to, order.as_of))
    except read_flags.EpochChangedError as error:
        raise ApiError(
            410, "epoch_changed", "Restored, or somebody forgotten, since that page: load it again."
        ) from error
    except store_errors.PermanentError as error:
        raise errors.bad_request("bad_cursor", "as_of is not a value that this API gave out.") from error


def _unread_response(unread: UnreadState) -> Response:
    return responses.success(json.dumps({"unread_count": unread.unread_count, "marked_unread": unread.marked_unread}))
