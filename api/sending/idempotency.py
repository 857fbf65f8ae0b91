"""`Idempotency-Key`: the same request again gives the same answer, and sends nothing twice.

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
    """The request's key; raises Refusal. In quotes, as the draft wants it, and bare it is the same key."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    text = given[0].strip()
    if len(given) == 1:
        if quoted := _QUOTED.fullmatch(text):
            return re.sub(r"\\(.)", r"\1", quoted[1])
        if _BARE.fullmatch(text):
            return text
    raise errors.bad_request(
        "bad_idempotency_key", "Idempotency-Key must be given once, with 1 to 255 printable ASCII characters."
    )


def fingerprint(*parts: str | None) -> bytes:
    """What a request asks for, whatever its spelling: equal for equal parts."""
    return hashlib.sha256(json.dumps(parts).encode()).digest()
