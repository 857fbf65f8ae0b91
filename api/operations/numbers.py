"""`GET /api/stats`, `/api/ledger`, `/api/sessions` and `/api/parked`: how the history and its sources are doing."""

import json
import re
import time
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import ApiError
from store.ledger import ledger
from store.postgres import errors as store_errors
from store.postgres.connections import Connection
from store.reading import operations, statistics
from store.reading.statistics import StatisticsPeriod, TimeStep

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_DEFAULT_RANGES: dict[TimeStep, int] = {"minute": _HOUR, "hour": 2 * _DAY, "day": 30 * _DAY}
"""How far back the numbers go by default, in ms."""
_MAX_RANGES: dict[TimeStep, int] = {"minute": 6 * _HOUR, "hour": 62 * _DAY, "day": 3 * 366 * _DAY}
_TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_PARKED_CURSOR_KIND = "parked"


def get_statistics(request: Request) -> Response:
    """Messages per minute, hour or day in a time zone, response times, who waits, what is unread."""
    parameters.reject_repeated(request, ("since", "until", "step", "zone", "session_id"))
    span = _parse_range(request)

    def question(connection: Connection) -> str:
        statistics.require_time_zone(connection, span)
        parts = {
            "messages": statistics.message_counts(connection, span),
            "first_responses": statistics.response_times(connection, span),
            "waiting": statistics.waiting_chats(connection, span),
            "unread": statistics.unread_totals(connection, span),
        }
        return "{" + ",".join(f'"{name}":{part}' for name, part in parts.items()) + "}"

    try:
        return responses.success(database.from_request(request).read(question))
    except store_errors.PermanentError as error:
        raise errors.bad_request(
            "bad_parameter", "zone must be the name of a time zone, such as Asia/Kolkata."
        ) from error


def _parse_range(request: Request) -> StatisticsPeriod:
    step = cast("TimeStep", parameters.choice(request, "step", _DEFAULT_RANGES) or "day")
    zone = parameters.text(request, "zone") or "UTC"
    if not _TIME_ZONE.fullmatch(zone):
        raise errors.bad_request("bad_parameter", "zone must be the name of a time zone, such as Asia/Kolkata.")
    until = parameters.timestamp(request, "until")
    until = int(time.time() * 1000) + _DAY if until is None else until
    since = parameters.timestamp(request, "since")
    since = until - _DEFAULT_RANGES[step] if since is None else since
    if not 0 <= until - since <= _MAX_RANGES[step]:
        raise errors.bad_request(
            "bad_parameter", f"since must be before until, by at most {_MAX_RANGES[step] // _HOUR} hours."
        )
    sessions = access.caller(request).visible_sessions(parameters.text(request, "session_id"))
    return StatisticsPeriod(since, until, zone, step, sessions)


def get_ledger(request: Request) -> Response:
    """What was received and what became of it."""
    _require_all_sessions(request)
    document = database.from_request(request).read_primary(ledger.read).document()
    for name in ("as_of", "oldest_waiting_at"):
        at = document[name]
        if isinstance(at, str):
            document[name] = at.replace("+00:00", "Z")
    return responses.success(json.dumps(document))


def list_sessions(request: Request) -> Response:
    """The sessions, and what each was last heard of."""
    allowed = access.caller(request).sessions
    found = database.from_request(request).read_primary(lambda connection: operations.sessions(connection, allowed))
    return responses.success(f'{{"sessions":{found}}}')


def list_parked(request: Request) -> Response:
    """Events that nobody understood, newest first."""
    parameters.reject_repeated(request, ("limit", "cursor", "session_id"))
    limit = parameters.limit(request, 50)
    text = parameters.cursor(request, "cursor")
    before: tuple[int, str] | None = None
    if text is not None:
        received_at, digest = cursors.decode(_PARKED_CURSOR_KIND, "cursor", text, int, str)
        before = cast("int", received_at), cast("str", digest)
    if before is not None and not re.fullmatch("(?:[0-9a-f]{2}){0,64}", before[1]):
        raise errors.bad_request("bad_cursor", "cursor is not a value that this API gave out for this list.")
    allowed = access.caller(request).visible_sessions(parameters.text(request, "session_id"))
    found, last = database.from_request(request).read_primary(
        lambda connection: operations.parked_events(connection, allowed, before, limit)
    )
    cursor = "null" if last is None else json.dumps(cursors.encode(_PARKED_CURSOR_KIND, *last))
    return responses.success(f'{{"parked":[{",".join(found)}],"cursor":{cursor}}}')


def _require_all_sessions(request: Request) -> None:
    """Whole-system numbers are not for tokens that may see a part of it."""
    if access.caller(request).sessions is not None:
        raise ApiError(
            403, "all_sessions_needed", "This is about all sessions, and this token may not see all of them."
        )
