"""`GET /api/changes`: returns the changes since a cursor, for clients that poll."""

import json
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, parameters, responses
from api.live import change_ids
from store.reading import change_feed

DEFAULT_LIMIT = 100


def list_changes(request: Request) -> Response:
    """Respond with a page of changes, oldest first. Without `since`, it has no changes and the current cursor."""
    limit = parameters.limit(request, DEFAULT_LIMIT)
    since = parameters.cursor(request, "since")
    sessions = access.requested_sessions(request)
    if since is None:
        epoch, position = database.from_request(request).read_primary(change_feed.current_position)
        return _changes_response((), change_ids.encode(epoch, position), more=False)
    epoch, position = change_ids.decode("since", since)
    page = database.from_request(request).read_and_fence(
        lambda connection: change_feed.read(connection, position, limit, sessions)
    )
    change_ids.check_continuity(page, epoch)
    items = [f'{{"id":"{change_ids.encode(epoch, entry.position)}",{entry.json[1:]}' for entry in page.entries]
    return _changes_response(items, change_ids.encode(epoch, page.next_position), more=page.has_more)


def _changes_response(items: Iterable[str], cursor: str, *, more: bool) -> Response:
    return responses.success_with_items('{"changes":[', items, f'],"cursor":"{cursor}","more":{json.dumps(more)}}}')
