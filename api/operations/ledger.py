"""`GET /api/ledger`: counts of received events by outcome, and of lost ones."""

import json

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, responses
from api.http.errors import ApiError
from store.ledger import ledger


def get_ledger(request: Request) -> Response:
    """The whole ledger; only for callers that may see all sessions, as its counts are not kept by session."""
    if access.caller(request).sessions is not None:
        raise ApiError(403, "all_sessions_needed", "The ledger needs a token for all sessions.")
    document = database.from_request(request).read_primary(ledger.read).document()
    for name in ("as_of", "oldest_waiting_at"):
        at = document[name]
        if isinstance(at, str):
            document[name] = at.replace("+00:00", "Z")
    return responses.success(json.dumps(document))
