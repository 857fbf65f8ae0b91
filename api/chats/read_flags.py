"""`POST /api/chats/{phone}/read`: marks messages of a chat as read, or the chat as unread."""

from dataclasses import dataclass
from typing import Self

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import messages
from api.http import cursors, database, errors, parameters, request_body, responses
from api.http.errors import ApiError
from store.annotations import read_flags
from store.annotations.read_flags import UnreadState
from store.postgres import errors as store_errors
from store.reading.fragments import chat_scope
from store.reading.messages.message_pages import ReadSnapshot


@dataclass(frozen=True, slots=True)
class ReadFlagRequest:
    """The content of a request body. An empty body marks everything as read."""

    up_to: str | None
    as_of: ReadSnapshot | None
    mark_unread: bool

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse a body. Raises ApiError."""
        fields = request_body.parse_optional_object(body)
        up_to, as_of, unread = (fields.get(name) for name in ("up_to", "as_of", "unread"))
        if not (up_to is None or (isinstance(up_to, str) and up_to and parameters.is_storable(up_to))):
            raise errors.bad_parameter("up_to must be a message_id.")
        if not (as_of is None or isinstance(as_of, str)):
            raise errors.bad_parameter("as_of must be the as_of of a page.")
        if not (unread is None or isinstance(unread, bool)):
            raise errors.bad_parameter("unread must be true or false.")
        if unread and (up_to or as_of):
            raise errors.bad_parameter("unread marks the whole chat: give neither up_to nor as_of with it.")
        return cls(up_to, messages.decode_snapshot(as_of) if as_of is not None else None, unread is True)


async def update_read_flag(request: Request) -> Response:
    """Mark as read the messages that the client's page could show. Respond with the number of unread messages."""
    body = await request_body.read(request)
    return await run_in_threadpool(_update, request, body)


def _update(request: Request, body: bytes) -> Response:
    access.caller(request).require_scope("write")
    scope = messages.requested_scope(request)
    flags = ReadFlagRequest.parse(body)
    pools = database.from_request(request)
    access.set_audited_chats(request, pools.read_primary(lambda connection: chat_scope.chat_ids(connection, scope)))
    if flags.mark_unread:
        return _unread_response(pools.write(lambda connection: read_flags.mark_unread(connection, scope)))
    up_to = None
    if (anchor := flags.up_to) is not None:
        up_to = pools.read_primary(lambda connection: messages.resolve_anchor(connection, scope, anchor))
    try:
        unread = pools.write(lambda connection: read_flags.mark_read(connection, scope, up_to, flags.as_of))
    except read_flags.EpochChangedError as error:
        sentence = "The database was restored, or a person was erased, since that page was read: load it again."
        raise ApiError(410, "epoch_changed", sentence) from error
    except store_errors.PermanentError as error:
        raise cursors.invalid("as_of") from error
    return _unread_response(unread)


def _unread_response(unread: UnreadState) -> Response:
    return responses.success_object({"unread_count": unread.unread_count, "marked_unread": unread.marked_unread})
