"""Reads the bodies of requests, up to a limit."""

import json
from collections.abc import AsyncGenerator
from typing import cast

from starlette.requests import Request

from api.http import errors
from api.http.errors import ApiError


async def chunks(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body in pieces; raises ApiError as soon as they exceed `max_bytes`, whatever Content-Length claims."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            # The rest of the body is not read, so the connection cannot carry another request.
            sentence = f"The body is larger than {max_bytes} bytes."
            raise ApiError(413, "body_too_large", sentence, {"connection": "close"})
        yield chunk


async def read(request: Request, max_bytes: int) -> bytes:
    """The whole body; raises ApiError."""
    return b"".join([chunk async for chunk in chunks(request, max_bytes)])


def parse_object(body: bytes) -> dict[str, object]:
    """The fields of a JSON object; raises ApiError for anything else."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("bad_json", "The body is not JSON.") from error
    if not isinstance(value, dict):
        raise errors.bad_request("bad_json", "The body must be a JSON object.")
    return cast("dict[str, object]", value)


def parse_optional_object(body: bytes) -> dict[str, object]:
    """The same; an empty body is an object without fields."""
    return parse_object(body) if body.strip() else {}
