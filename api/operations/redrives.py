"""`POST /api/parked/redrive` and `GET /api/parked/redrive/{id}`: have what nobody understood tried again.

The parser is the worker's: the request is written down, and a worker does it within seconds.
"""

import json
import re
from datetime import UTC, datetime
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, errors, parameters, responses
from api.http.errors import ApiError
from store.replay import redrive_requests
from store.replay.redrive_requests import RedriveRequest, RedriveSelection

MAX_DIGESTS = 500
"""Digests in one request."""
_MAX_BODY_BYTES = 64 * 1024
_DIGEST = re.compile("[0-9a-f]{64}")
_REDRIVE_ID = re.compile("[1-9][0-9]{0,17}")


async def request_redrive(request: Request) -> Response:
    """Ask for a redrive of all that is parked, or of a choice of it: 202, and where to see what becomes of it."""
    caller = access.caller(request)
    caller.require_scope("admin")
    body = await parameters.read_body(request, _MAX_BODY_BYTES)
    choice = _parse_selection(body, caller.sessions)
    pools = database.from_request(request)

    def write() -> RedriveRequest:
        with pools.write_pool.connection() as connection:
            return redrive_requests.create(connection, caller.name, choice)

    redrive = await run_in_threadpool(write)
    answer = responses.success(_as_json(redrive), {"location": f"/api/parked/redrive/{redrive.redrive_id}"})
    answer.status_code = 202
    return answer


def get_redrive(request: Request) -> Response:
    """What became of a redrive."""
    allowed = access.caller(request).sessions
    named = request.path_params["id"]
    found: RedriveRequest | None = None
    if _REDRIVE_ID.fullmatch(named):
        found = database.from_request(request).read_primary(
            lambda connection: redrive_requests.get(connection, int(named))
        )
    if found is None or (allowed is not None and not _is_visible(found.selection, allowed)):
        raise ApiError(404, "redrive_not_found", "There is no redrive with that id.")
    return responses.success(_as_json(found))


def _is_visible(selection: RedriveSelection, visible_sessions: tuple[str, ...]) -> bool:
    return selection.sessions is not None and set(selection.sessions) <= set(visible_sessions)


def _parse_selection(body: bytes, sessions: tuple[str, ...] | None) -> RedriveSelection:
    """What a body chooses, within the caller's sessions; an empty one chooses everything. Raises Refusal."""
    try:
        found: object = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("bad_json", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise errors.bad_request("bad_json", "The body must be a JSON object.")
    fields = cast("dict[str, object]", found)
    digests, reason = fields.get("digests"), fields.get("reason")
    if not (reason is None or (isinstance(reason, str) and reason and parameters.is_storable(reason))):
        raise errors.bad_request("bad_parameter", "reason must be one of those that /api/parked names.")
    if digests is None:
        return RedriveSelection(sessions, None, reason)
    if not isinstance(digests, list) or not 1 <= len(cast("list[object]", digests)) <= MAX_DIGESTS:
        raise errors.bad_request("bad_parameter", f"digests must be a list of 1 to {MAX_DIGESTS}.")
    named = cast("list[object]", digests)
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in named):
        raise errors.bad_request("bad_parameter", "digests must be those that /api/parked names.")
    return RedriveSelection(sessions, tuple(bytes.fromhex(cast("str", one)) for one in named), reason)


def _as_json(redrive: RedriveRequest) -> str:
    return json.dumps(
        {
            "id": redrive.redrive_id,
            "state": redrive.state,
            "asked_by": redrive.caller,
            "asked_at": _format_utc(redrive.requested_at),
            "began_at": _format_utc(redrive.started_at),
            "finished_at": _format_utc(redrive.finished_at),
            "events": redrive.event_count,
            "still_parked": redrive.still_parked,
            "failure": redrive.failure,
        },
        ensure_ascii=False,
    )


def _format_utc(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
