"""`GET /api/sessions`: the sessions and their last reported states."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, responses
from store.reading import operations


def list_sessions(request: Request) -> Response:
    """The sessions that the caller may see."""
    visible = access.caller(request).sessions
    sessions = database.from_request(request).read_primary(lambda connection: operations.sessions(connection, visible))
    return responses.success(f'{{"sessions":{sessions}}}')
