"""Reads the bodies of requests up to a size limit."""

import json
from collections.abc import AsyncGenerator
from typing import cast

from starlette.requests import Request

from api.http import errors
from api.http.errors import ApiError

_MAX_JSON_BYTES = 64 * 1024
"""The size limit of most JSON bodies."""


async def chunks(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the body in chunks. Raises ApiError once they exceed `max_bytes`, whatever Content-Length says."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            # The rest of the body is not read, so the connection cannot carry another request.
            sentence = f"The body is larger than {max_bytes} bytes."
            raise ApiError(413, "body_too_large", sentence, {"connection": "close"})
        yield chunk


async def read(request: Request, max_bytes: int = _MAX_JSON_BYTES) -> bytes:
    """Return the whole body. Raises ApiError."""
    return b"".join([chunk async for chunk in chunks(request, max_bytes)])


async def read_object(request: Request, max_bytes: int = _MAX_JSON_BYTES) -> dict[str, object]:
    """Return the fields of the JSON object in the body. Raises ApiError."""
    return parse_object(await read(request, max_bytes))


def parse_object(body: bytes) -> dict[str, object]:
    """Return the fields of a JSON object. Raises ApiError for anything else."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("bad_json", "The body is not JSON.") from error
    if not isinstance(value, dict):
        raise errors.bad_request("bad_json", "The body must be a JSON object.")
    return cast("dict[str, object]", value)


def parse_optional_object(body: bytes) -> dict[str, object]:
    """Return the fields of a JSON object, or no fields for an empty body. Raises ApiError for anything else."""
    return parse_object(body) if body.strip() else {}
