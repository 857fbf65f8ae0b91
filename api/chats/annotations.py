"""Contains the parts that requests for stars, labels and notes share."""

import functools
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import messages
from api.http import database, errors, parameters, request_body
from api.http.errors import ApiError
from store.annotations.annotated_chat import NoChatError, SeveralChatsError, TooManyError
from store.annotations.notes import NoNoteError
from store.postgres.connections import Connection
from store.reading.fragments import chat_scope
from store.reading.fragments.chat_scope import ChatScope


def endpoint(
    function: Callable[[Request, dict[str, object]], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that requires the scope `write` and calls the function with the fields of the JSON body."""

    @functools.wraps(function)
    async def read_and_call(request: Request) -> Response:
        access.caller(request).require_scope("write")
        fields = await request_body.read_object(request)
        return await run_in_threadpool(function, request, fields)

    return read_and_call


def audited_scope(request: Request) -> ChatScope:
    """Return the scope of the chat in the path, and name its chats in the audit log."""
    scope = messages.requested_scope(request)
    pools = database.from_request(request)
    access.set_audited_chats(request, pools.read_primary(lambda connection: chat_scope.chat_ids(connection, scope)))
    return scope


@contextmanager
def writing(request: Request) -> Generator[Connection]:
    """Provide a connection for changing annotations, and translate the store's errors into ApiErrors."""
    try:
        with database.from_request(request).write_pool.connection() as connection:
            yield connection
    except NoChatError as error:
        raise ApiError(404, "chat_not_found", "There is no chat with that address.") from error
    except SeveralChatsError as error:
        sentence = "Several sessions have a chat with this address: give session_id."
        raise errors.bad_request("several_chats", sentence) from error
    except NoNoteError as error:
        raise ApiError(404, "note_not_found", "This chat has no note with that id.") from error
    except TooManyError as error:
        sentence = "The chat has too many labels or notes, or its session too many labels: remove some first."
        raise ApiError(409, "too_many_annotations", sentence) from error


def parse_text(value: object, name: str, max_length: int, is_allowed: Callable[[str], bool] = lambda _: True) -> str:
    """Return a text without surrounding white space. Raises ApiError unless it has 1 to `max_length` characters."""
    text = value.strip() if isinstance(value, str) else ""
    if not (0 < len(text) <= max_length and parameters.is_storable(text) and is_allowed(text)):
        raise errors.bad_parameter(f"{name} must be text of 1 to {max_length} characters.")
    return text
