"""`POST /api/parked/redrive` and `GET /api/parked/redrive/{id}`: request that parked events or noise are parsed again.

The API only records the request. A worker, which has the parser, runs it within seconds.
"""

import re
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, errors, parameters, request_body, responses, timestamps
from api.http.errors import ApiError
from store.ledger import set_aside_events
from store.replay import redrive_requests
from store.replay.redrive_requests import RedriveRequest, RedriveSelection

MAX_DIGESTS = 500
"""The greatest number of digests in one request."""
_DIGEST = re.compile("[0-9a-f]{64}")
_REDRIVE_ID = re.compile("[1-9][0-9]{0,17}")


async def request_redrive(request: Request) -> Response:
    """Request a redrive of all parked events, of noise or of a selection. Respond with 202 and a Location."""
    caller = access.caller(request)
    caller.require_scope("admin")
    selection = _parse_selection(await request_body.read(request), caller.sessions)
    redrive = await run_in_threadpool(
        database.from_request(request).write,
        lambda connection: redrive_requests.create(connection, caller.name, selection),
    )
    response = responses.success_object(
        _redrive_fields(redrive), {"location": f"/api/parked/redrive/{redrive.redrive_id}"}
    )
    response.status_code = 202
    return response


def get_redrive(request: Request) -> Response:
    """Respond with the state of a redrive."""
    visible = access.caller(request).sessions
    redrive_id = request.path_params["id"]
    redrive: RedriveRequest | None = None
    if _REDRIVE_ID.fullmatch(redrive_id):
        redrive = database.from_request(request).read_primary(
            lambda connection: redrive_requests.get(connection, int(redrive_id))
        )
    if redrive is None or (visible is not None and not _is_visible(redrive.selection, visible)):
        raise ApiError(404, "redrive_not_found", "There is no redrive with that id.")
    return responses.success_object(_redrive_fields(redrive))


def _is_visible(selection: RedriveSelection, visible_sessions: tuple[str, ...]) -> bool:
    return selection.sessions is not None and set(selection.sessions) <= set(visible_sessions)


def _parse_selection(body: bytes, sessions: tuple[str, ...] | None) -> RedriveSelection:
    """Return the selection in a body, limited to the caller's sessions. An empty body selects all parked events.

    Raises ApiError. If `kind` is absent, a body with digests or a reason selects noise, too.
    """
    fields = request_body.parse_optional_object(body)
    digests, reason, kind = fields.get("digests"), fields.get("reason"), fields.get("kind")
    if kind is not None and kind not in set_aside_events.KINDS:
        raise errors.bad_parameter("kind must be parked or noise.")
    if kind is None and digests is None and reason is None:
        kind = "parked"
    if not (reason is None or (isinstance(reason, str) and reason and parameters.is_storable(reason))):
        raise errors.bad_parameter("reason must be a reason listed by /api/parked.")
    if digests is None:
        return RedriveSelection(sessions, None, reason, kind)
    if not isinstance(digests, list) or not 1 <= len(cast("list[object]", digests)) <= MAX_DIGESTS:
        raise errors.bad_parameter(f"digests must be a list of 1 to {MAX_DIGESTS} digests.")
    values = cast("list[object]", digests)
    if not all(isinstance(value, str) and _DIGEST.fullmatch(value) for value in values):
        raise errors.bad_parameter("digests must be digests listed by /api/parked.")
    return RedriveSelection(sessions, tuple(bytes.fromhex(cast("str", value)) for value in values), reason, kind)


def _redrive_fields(redrive: RedriveRequest) -> dict[str, object]:
    return {
        "id": redrive.redrive_id,
        "state": redrive.state,
        "asked_by": redrive.caller,
        "asked_at": timestamps.format_utc(redrive.requested_at),
        "began_at": timestamps.format_utc(redrive.started_at),
        "finished_at": timestamps.format_utc(redrive.finished_at),
        "events": redrive.event_count,
        "still_parked": redrive.still_parked,
        "failure": redrive.failure,
    }
