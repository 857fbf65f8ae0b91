"""Reads `Idempotency-Key`: a repeated request gets the first response and sends nothing.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
import re

from starlette.requests import Request

from api.http import errors

_BARE = re.compile(r"[\x21\x23-\x7e][\x21-\x7e]{0,254}")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')


def key(request: Request) -> str | None:
    """Return the key of a request, or None. Raises ApiError.

    A key is the same with quotes (as in the draft) and without.
    """
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    text = values[0].strip()
    if len(values) == 1:
        if quoted := _QUOTED.fullmatch(text):
            return re.sub(r"\\(.)", r"\1", quoted[1])
        if _BARE.fullmatch(text):
            return text
    sentence = "Idempotency-Key must be given once, with 1 to 255 printable ASCII characters."
    raise errors.bad_request("bad_idempotency_key", sentence)


def fingerprint(*parts: str | None) -> bytes:
    """Return a digest of the parts of a request. Equal parts give the same digest."""
    return hashlib.sha256(json.dumps(parts).encode()).digest()
