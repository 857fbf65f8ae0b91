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
from api.http.errors import Refusal
from store.replay import redrive_requests
from store.replay.redrive_requests import Choice, Redrive

MOST = 500
"""Digests in one request."""
_MAX_BODY = 64 * 1024
_DIGEST = re.compile("[0-9a-f]{64}")
_ID = re.compile("[1-9][0-9]{0,17}")


async def ask(request: Request) -> Response:
    """Ask for a redrive of all that is parked, or of a choice of it: 202, and where to see what becomes of it."""
    caller = access.caller(request)
    caller.needs("admin")
    body = await parameters.body(request, _MAX_BODY)
    choice = _choice(body, caller.sessions)
    pools = database.of(request)

    def write() -> Redrive:
        with pools.writes.connection() as connection:
            return redrive_requests.ask(connection, caller.name, choice)

    redrive = await run_in_threadpool(write)
    answer = responses.success(_described(redrive), {"location": f"/api/parked/redrive/{redrive.redrive_id}"})
    answer.status_code = 202
    return answer


def one(request: Request) -> Response:
    """What became of a redrive."""
    allowed = access.caller(request).sessions
    named = request.path_params["id"]
    found: Redrive | None = None
    if _ID.fullmatch(named):
        found = database.of(request).ask(lambda connection: redrive_requests.get(connection, int(named)))
    if found is None or (allowed is not None and not _within(found.choice, allowed)):
        raise Refusal(404, "redrive_not_found", "There is no redrive with that id.")
    return responses.success(_described(found))


def _within(choice: Choice, allowed: tuple[str, ...]) -> bool:
    return choice.sessions is not None and set(choice.sessions) <= set(allowed)


def _choice(body: bytes, sessions: tuple[str, ...] | None) -> Choice:
    """What a body chooses, within the caller's sessions; an empty one chooses everything. Raises Refusal."""
    try:
        found: object = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise errors.bad("bad_json", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise errors.bad("bad_json", "The body must be a JSON object.")
    fields = cast("dict[str, object]", found)
    digests, reason = fields.get("digests"), fields.get("reason")
    if not (reason is None or (isinstance(reason, str) and reason and parameters.storable(reason))):
        raise errors.bad("bad_parameter", "reason must be one of those that /api/parked names.")
    if digests is None:
        return Choice(sessions, None, reason)
    if not isinstance(digests, list) or not 1 <= len(cast("list[object]", digests)) <= MOST:
        raise errors.bad("bad_parameter", f"digests must be a list of 1 to {MOST}.")
    named = cast("list[object]", digests)
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in named):
        raise errors.bad("bad_parameter", "digests must be those that /api/parked names.")
    return Choice(sessions, tuple(bytes.fromhex(cast("str", one)) for one in named), reason)


def _described(redrive: Redrive) -> str:
    return json.dumps(
        {
            "id": redrive.redrive_id,
            "state": redrive.state,
            "asked_by": redrive.caller,
            "asked_at": _iso(redrive.asked_at),
            "began_at": _iso(redrive.began_at),
            "finished_at": _iso(redrive.finished_at),
            "events": redrive.chosen,
            "still_parked": redrive.still_parked,
            "failure": redrive.failure,
        },
        ensure_ascii=False,
    )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
