"""`GET /api/chats/{phone}/export` and `GET /api/sessions/{session_id}/export`: everything, streamed."""

import hashlib
import json
from collections.abc import AsyncGenerator, Iterator
from itertools import chain

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import access, backend, formats, messages, parameters
from api.formats import Format
from api.refusals import Refusal
from store import export


def chat(request: Request) -> Response:
    """All messages of a chat, oldest first."""
    parameters.known(request, ("format", "session_id"))
    place = messages.place_of(request)
    return _answer(request, export.messages(backend.of(request).look, place), place.address)


def session(request: Request) -> Response:
    """All messages of a session, chat by chat."""
    parameters.known(request, ("format",))
    session_id = request.path_params["session_id"]
    if access.caller(request).may_see(session_id) == () or "\0" in session_id:
        raise Refusal(404, "session_not_found", "There is no such session that this token may see.")
    ask = backend.of(request).look
    pages = chain.from_iterable(export.messages(ask, place) for place in export.chats(ask, session_id))
    return _answer(request, pages, "session")


def _answer(request: Request, pages: Iterator[tuple[str, ...]], name: str) -> Response:
    wanted = formats.FORMATS[parameters.choice(request, "format", formats.FORMATS) or "ndjson"]
    headers = {
        "content-type": wanted.media_type,
        "content-disposition": f'attachment; filename="{name.replace("@", "_")}.{wanted.name}"',
        "cache-control": "no-store",
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    # The first page now: what cannot be answered at all is refused in the envelope.
    first = next(pages, ())
    return StreamingResponse(_written(chain([first], pages), wanted, request.app.state.catching_up), headers=headers)


async def _written(
    pages: Iterator[tuple[str, ...]], wanted: Format, threads: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """The file in pieces; its last line tells how many messages there are and the digest of all before it."""
    digest = hashlib.sha256()
    count = 0
    head = wanted.head.encode()
    digest.update(head)
    yield head
    while page := await anyio.to_thread.run_sync(next, pages, (), limiter=threads):
        part = wanted.lines(page).encode()
        digest.update(part)
        count += len(page)
        yield part
    yield wanted.manifest(json.dumps({"count": count, "sha256": digest.hexdigest()})).encode()
