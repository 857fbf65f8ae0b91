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
from store.reading.change_feed import Delivery

DEFAULT = 100


def changes(request: Request) -> Response:
    """A page of changes, oldest first; without `since` none, and the cursor that means now."""
    parameters.known(request, ("limit", "since"))
    limit = parameters.limit(request, DEFAULT)
    since = parameters.opaque(request, "since")
    sessions = access.caller(request).may_see(parameters.text(request, "session_id"))
    if since is None:
        epoch, upto = database.of(request).ask(change_feed.now)
        return _answer((), change_ids.seal(epoch, upto), more=False)
    epoch, place = change_ids.unseal("since", since)

    def question(connection: Connection) -> Delivery:
        return change_feed.read(connection, place, limit, sessions)

    delivery = database.of(request).tell(question)
    change_ids.check(delivery, epoch)
    told = (
        f'{{"id":{json.dumps(change_ids.seal(epoch, change.place))},{change.text[1:]}' for change in delivery.changes
    )
    return _answer(told, change_ids.seal(epoch, delivery.upto), more=delivery.more)


def _answer(told: Iterable[str], cursor: str, *, more: bool) -> Response:
    return responses.success(
        f'{{"changes":[{",".join(told)}],"cursor":{json.dumps(cursor)},"more":{json.dumps(more)}}}'
    )
