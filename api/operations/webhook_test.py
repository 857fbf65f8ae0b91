"""`/api/test-events`: posts a test event to ingest as a gateway does, and reports whether it was stored."""

import hashlib
import hmac
import json
import re
import time
import uuid

import requests
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, responses
from api.http.errors import ApiError
from api.settings import Settings
from environment.sender_kinds import KINDS
from store.history.events import pings

_DIGEST = re.compile("[0-9a-f]{64}")
_CONNECT_SECONDS, _RESPONSE_SECONDS = 3.0, 10.0


def describe(request: Request) -> Response:
    """Respond with the address of ingest, if known, and what is missing before a test event can be sent."""
    settings = database.from_request(request).settings
    document = {"webhook_url": settings.ingest_url, "missing": _missing(settings)}
    return responses.success_object(document)


def send(request: Request) -> Response:
    """Post a signed test event to ingest. Respond with its digest when ingest has acknowledged it."""
    _require_administrator(request)
    settings = database.from_request(request).settings
    if missing := _missing(settings):
        raise ApiError(409, "test_event_impossible", f"The api sends test events only with {' and '.join(missing)}.")
    assert settings.ingest_url is not None
    body = json.dumps({"event": "test", "test": True, "id": str(uuid.uuid4()), "timestamp": int(time.time())}).encode()
    started_at = time.perf_counter()
    _post(settings.ingest_url, body, settings.test_event_secret)
    milliseconds = round((time.perf_counter() - started_at) * 1000)
    digest = hashlib.sha256(body).hexdigest()
    return responses.success_object({"digest": digest, "milliseconds": milliseconds})


def get(request: Request) -> Response:
    """Respond with whether a worker has stored the event."""
    digest = _requested_digest(request)
    stored = database.from_request(request).read_primary(lambda connection: pings.is_stored(connection, digest))
    return responses.success_object({"stored": stored})


def remove(request: Request) -> Response:
    """Delete the body of the event. The ledger continues to count it as a test ping."""
    _require_administrator(request)
    digest = _requested_digest(request)
    removed = database.from_request(request).write(lambda connection: pings.delete_body(connection, digest))
    return responses.success_object({"removed": removed})


def _missing(settings: Settings) -> list[str]:
    """Return the variables that must be set before a test event can be sent."""
    values = {"INGEST_URL": settings.ingest_url, "TEST_EVENT_SECRET": settings.test_event_secret}
    return [name for name, value in values.items() if not value]


def _post(url: str, body: bytes, secret: str) -> None:
    """Post the body to ingest. Raises ApiError unless ingest acknowledges it."""
    scheme = KINDS["sak"]
    signature = scheme.prefix + hmac.new(secret.encode(), body, scheme.algorithm).hexdigest()
    headers = {"content-type": "application/json", scheme.header: signature}
    with requests.Session() as http:
        http.trust_env = False  # uses neither a proxy nor ~/.netrc
        try:
            response = http.post(
                url, body, headers=headers, timeout=(_CONNECT_SECONDS, _RESPONSE_SECONDS), allow_redirects=False
            )
        except requests.RequestException as error:
            sentence = f"ingest does not answer at {url} ({type(error).__name__})."
            raise ApiError(502, "ingest_unreachable", sentence) from error
    if response.status_code == 401:
        sentence = "ingest refused the signature: TEST_EVENT_SECRET must be one of its WEBHOOK_SECRETS."
        raise ApiError(502, "ingest_refused", sentence)
    if response.status_code != 200:
        raise ApiError(502, "ingest_refused", f"ingest responded with status {response.status_code}.")


def _requested_digest(request: Request) -> bytes:
    text = request.path_params["digest"]
    if not _DIGEST.fullmatch(text):
        raise ApiError(404, "test_event_not_found", "There is no test event with that digest.")
    return bytes.fromhex(text)


def _require_administrator(request: Request) -> None:
    caller = access.caller(request)
    caller.require_scope("admin")
    caller.require_all_sessions("A test event")
