"""`GET /api/sessions` and `PATCH /api/sessions/{session_id}`: list sessions with their last states, and name them."""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, errors, parameters, request_body, responses
from api.http.errors import ApiError
from store.annotations import session_naming
from store.reading import operations

_MAX_BODY_BYTES = 4096
_COLUMNS = {"display_name": "name", "colour": "colour"}


def list_sessions(request: Request) -> Response:
    """Respond with the sessions that the caller may see."""
    visible = access.caller(request).sessions
    sessions = database.from_request(request).read_primary(lambda connection: operations.sessions(connection, visible))
    return responses.success(f'{{"sessions":{sessions}}}')


async def change_session(request: Request) -> Response:
    """Set the name or the colour of a session and of the others in its account. Respond with the session."""
    caller = access.caller(request)
    caller.require_scope("admin")
    session_id = request.path_params["session_id"]
    values = _parse(await request_body.read_object(request, _MAX_BODY_BYTES))
    if not parameters.is_storable(session_id) or not caller.visible_sessions(session_id):
        raise _NOT_FOUND
    return await run_in_threadpool(_change, request, session_id, values)


def _change(request: Request, session_id: str, values: Mapping[str, str | None]) -> Response:
    pools = database.from_request(request)
    if not pools.write(lambda connection: session_naming.change(connection, session_id, values)):
        raise _NOT_FOUND
    changed = pools.read_primary(lambda connection: operations.sessions(connection, (session_id,)))
    return responses.success(changed.removeprefix("[").removesuffix("]"))


def _parse(fields: Mapping[str, object]) -> dict[str, str | None]:
    """Return the new values by column. Raises ApiError."""
    values: dict[str, str | None] = {}
    for field in _COLUMNS.keys() & fields.keys():
        value = fields[field]
        if not (value is None or isinstance(value, str)):
            raise errors.bad_parameter(f"{field} must be text or null.")
        values[_COLUMNS[field]] = value
    if not values:
        raise errors.bad_parameter("Give display_name, colour or both.")
    name, colour = values.get("name"), values.get("colour")
    if name is not None:
        if not name.strip() or len(name) > session_naming.MAX_NAME_LENGTH or not parameters.is_storable(name):
            sentence = f"display_name must have 1 to {session_naming.MAX_NAME_LENGTH} characters, or be null."
            raise errors.bad_parameter(sentence)
        values["name"] = " ".join(name.split())
    if colour is not None and colour not in session_naming.COLOURS:
        raise errors.bad_parameter(f"colour must be null or one of {', '.join(session_naming.COLOURS)}.")
    return values


_NOT_FOUND = ApiError(404, "session_not_found", "There is no session with that id that this token may see.")
