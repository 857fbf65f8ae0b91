"""`GET /api/changes`: the changes since a cursor, for clients that poll."""

import json
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, parameters, responses
from api.live import change_ids
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import FeedPage

DEFAULT_LIMIT = 100


def list_changes(request: Request) -> Response:
    """A page of changes, oldest first; without `since`, no changes and the current cursor."""
    parameters.reject_repeated(request, ("limit", "since", "session_id"))
    limit = parameters.limit(request, DEFAULT_LIMIT)
    since = parameters.cursor(request, "since")
    sessions = access.caller(request).visible_sessions(parameters.text(request, "session_id"))
    if since is None:
        epoch, position = database.from_request(request).read_primary(change_feed.current_position)
        return _changes_response((), change_ids.encode(epoch, position), more=False)
    epoch, position = change_ids.decode("since", since)

    def query(connection: Connection) -> FeedPage:
        return change_feed.read(connection, position, limit, sessions)

    page = database.from_request(request).read_and_fence(query)
    change_ids.check_continuity(page, epoch)
    items = (
        f'{{"id":{json.dumps(change_ids.encode(epoch, change.position))},{change.json[1:]}' for change in page.entries
    )
    return _changes_response(items, change_ids.encode(epoch, page.next_position), more=page.has_more)


def _changes_response(items: Iterable[str], cursor: str, *, more: bool) -> Response:
    return responses.success(
        f'{{"changes":[{",".join(items)}],"cursor":{json.dumps(cursor)},"more":{json.dumps(more)}}}'
    )
