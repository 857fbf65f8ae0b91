"""`GET /api/stats`, `/api/ledger`, `/api/sessions` and `/api/parked`: how the history and its sources are doing."""

import json
import re
import time
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import Refusal
from store.ledger import ledger
from store.postgres import errors as store_errors
from store.postgres.connections import Connection
from store.reading import operations, statistics
from store.reading.statistics import Span, Step

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_STEPS: dict[Step, int] = {"minute": _HOUR, "hour": 2 * _DAY, "day": 30 * _DAY}
"""How far back the numbers go by default, in ms."""
_MOST: dict[Step, int] = {"minute": 6 * _HOUR, "hour": 62 * _DAY, "day": 3 * 366 * _DAY}
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_CURSOR = "parked"


def stats(request: Request) -> Response:
    """Messages per minute, hour or day in a time zone, response times, who waits, what is unread."""
    parameters.known(request, ("since", "until", "step", "zone", "session_id"))
    span = _span(request)

    def question(connection: Connection) -> str:
        statistics.check(connection, span)
        parts = {
            "messages": statistics.messages(connection, span),
            "first_responses": statistics.responses(connection, span),
            "waiting": statistics.waiting(connection, span),
            "unread": statistics.unread(connection, span),
        }
        return "{" + ",".join(f'"{name}":{part}' for name, part in parts.items()) + "}"

    try:
        return responses.success(database.of(request).look(question))
    except store_errors.PermanentError as error:
        raise errors.bad("bad_parameter", "zone must be the name of a time zone, such as Asia/Kolkata.") from error


def _span(request: Request) -> Span:
    step = cast("Step", parameters.choice(request, "step", _STEPS) or "day")
    zone = parameters.text(request, "zone") or "UTC"
    if not _ZONE.fullmatch(zone):
        raise errors.bad("bad_parameter", "zone must be the name of a time zone, such as Asia/Kolkata.")
    until = parameters.moment(request, "until")
    until = int(time.time() * 1000) + _DAY if until is None else until
    since = parameters.moment(request, "since")
    since = until - _STEPS[step] if since is None else since
    if not 0 <= until - since <= _MOST[step]:
        raise errors.bad("bad_parameter", f"since must be before until, by at most {_MOST[step] // _HOUR} hours.")
    sessions = access.caller(request).may_see(parameters.text(request, "session_id"))
    return Span(since, until, zone, step, sessions)


def adding_up(request: Request) -> Response:
    """What was received and what became of it."""
    _all_sessions(request)
    document = database.of(request).ask(ledger.read).document()
    for name in ("as_of", "oldest_waiting_at"):
        at = document[name]
        if isinstance(at, str):
            document[name] = at.replace("+00:00", "Z")
    return responses.success(json.dumps(document))


def sessions(request: Request) -> Response:
    """The sessions, and what each was last heard of."""
    allowed = access.caller(request).sessions
    found = database.of(request).ask(lambda connection: operations.sessions(connection, allowed))
    return responses.success(f'{{"sessions":{found}}}')


def parked(request: Request) -> Response:
    """Events that nobody understood, newest first."""
    parameters.known(request, ("limit", "cursor", "session_id"))
    limit = parameters.limit(request, 50)
    text = parameters.opaque(request, "cursor")
    before: tuple[int, str] | None = None
    if text is not None:
        received_at, digest = cursors.unseal(_CURSOR, "cursor", text, int, str)
        before = cast("int", received_at), cast("str", digest)
    if before is not None and not re.fullmatch("(?:[0-9a-f]{2}){0,64}", before[1]):
        raise errors.bad("bad_cursor", "cursor is not a value that this API gave out for this list.")
    allowed = access.caller(request).may_see(parameters.text(request, "session_id"))
    found, last = database.of(request).ask(lambda connection: operations.parked(connection, allowed, before, limit))
    cursor = "null" if last is None else json.dumps(cursors.seal(_CURSOR, *last))
    return responses.success(f'{{"parked":[{",".join(found)}],"cursor":{cursor}}}')


def _all_sessions(request: Request) -> None:
    """Whole-system numbers are not for tokens that may see a part of it."""
    if access.caller(request).sessions is not None:
        raise Refusal(403, "all_sessions_needed", "This is about all sessions, and this token may not see all of them.")
