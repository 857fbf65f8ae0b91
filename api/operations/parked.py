"""`GET /api/parked` and `GET /api/parked/reasons`: list events that are not in the history, either parked or noise."""

import re

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import cursors, database, parameters, responses
from store.ledger import set_aside_events
from store.reading import operations

_CURSOR_KIND = "parked"
_DEFAULT_LIMIT = 50


def list_parked(request: Request) -> Response:
    """Respond with a page of parked events, or of noise if `kind=noise`, newest first."""
    kind = "noise" if parameters.choice(request, "kind", set_aside_events.KINDS) == "noise" else "parked"
    limit = parameters.limit(request, _DEFAULT_LIMIT)
    before = cursors.requested(request, "cursor", _CURSOR_KIND, int, str)
    if before is not None and not re.fullmatch("(?:[0-9a-f]{2}){0,64}", before[1]):
        raise cursors.invalid("cursor")
    sessions = access.requested_sessions(request)
    events, last = database.from_request(request).read_primary(
        lambda connection: operations.parked_events(connection, sessions, before, limit, kind)
    )
    cursor = cursors.to_json(_CURSOR_KIND, last)
    return responses.success(f'{{"parked":[{",".join(events)}],"cursor":{cursor}}}')


def list_reasons(request: Request) -> Response:
    """Respond with the number of parked events and of noise by reason."""
    sessions = access.requested_sessions(request)
    reasons = database.from_request(request).read_primary(
        lambda connection: operations.set_aside_reasons(connection, sessions)
    )
    return responses.success(f'{{"reasons":{reasons}}}')
