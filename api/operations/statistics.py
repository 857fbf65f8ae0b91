"""`GET /api/stats`: returns message counts, response times, waiting chats and unread messages."""

import time
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, errors, parameters, responses, time_zones
from store.postgres import errors as store_errors
from store.reading import statistics
from store.reading.statistics import StatisticsPeriod, TimeStep

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_DEFAULT_RANGES: dict[TimeStep, int] = {"minute": _HOUR, "hour": 2 * _DAY, "day": 30 * _DAY, "week": 84 * _DAY}
"""The default length of the period, in ms."""
_MAX_RANGES: dict[TimeStep, int] = {
    "minute": 6 * _HOUR,
    "hour": 62 * _DAY,
    "day": 3 * 366 * _DAY,
    "week": 3 * 366 * _DAY,
}


def get_statistics(request: Request) -> Response:
    """Respond with message counts per step in a time zone, response times, waiting chats and unread messages."""
    period = _parse_period(request)
    try:
        found = database.from_request(request).read(lambda connection: statistics.read(connection, period))
    except store_errors.PermanentError as error:
        raise time_zones.unknown("zone", period.time_zone) from error
    return responses.success(found)


def _parse_period(request: Request) -> StatisticsPeriod:
    step = cast("TimeStep", parameters.choice(request, "step", _DEFAULT_RANGES) or "day")
    since, until = parameters.timestamp(request, "since"), parameters.timestamp(request, "until")
    until = int(time.time() * 1000) + _DAY if until is None else until
    since = until - _DEFAULT_RANGES[step] if since is None else since
    max_hours = _MAX_RANGES[step] // _HOUR
    if not 0 <= until - since <= _MAX_RANGES[step]:
        raise errors.bad_parameter(f"since must be before until, by at most {max_hours} hours.")
    sessions = access.requested_sessions(request)
    return StatisticsPeriod(since, until, time_zones.requested(request, "zone"), step, sessions)
