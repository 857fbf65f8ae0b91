"""`GET /api/changes`: what changed since a cursor, for readers that come back now and then."""

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
    """A page of changes, oldest first; without `since` none, and the cursor that means now."""
    parameters.reject_repeated(request, ("limit", "since"))
    limit = parameters.limit(request, DEFAULT_LIMIT)
    since = parameters.cursor(request, "since")
    sessions = access.caller(request).visible_sessions(parameters.text(request, "session_id"))
    if since is None:
        epoch, upto = database.from_request(request).read_primary(change_feed.current_position)
        return _changes_response((), change_ids.encode(epoch, upto), more=False)
    epoch, place = change_ids.decode("since", since)

    def question(connection: Connection) -> FeedPage:
        return change_feed.read(connection, place, limit, sessions)

    delivery = database.from_request(request).read_and_fence(question)
    change_ids.check_continuity(delivery, epoch)
    told = (
        f'{{"id":{json.dumps(change_ids.encode(epoch, change.position))},{change.json[1:]}'
        for change in delivery.entries
    )
    return _changes_response(told, change_ids.encode(epoch, delivery.next_position), more=delivery.has_more)


def _changes_response(items: Iterable[str], cursor: str, *, more: bool) -> Response:
    return responses.success(
        f'{{"changes":[{",".join(items)}],"cursor":{json.dumps(cursor)},"more":{json.dumps(more)}}}'
    )
