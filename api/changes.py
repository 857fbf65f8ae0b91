"""`GET /api/changes`: what changed since a cursor, for readers that come back now and then."""

import json
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from api import access, backend, envelope, parameters, resume
from store import feed
from store.connect import Connection
from store.feed import Delivery

DEFAULT = 100


def changes(request: Request) -> Response:
    """A page of changes, oldest first; without `since` none, and the cursor that means now."""
    parameters.known(request, ("limit", "since"))
    limit = parameters.limit(request, DEFAULT)
    since = parameters.opaque(request, "since")
    sessions = access.caller(request).may_see(parameters.text(request, "session_id"))
    if since is None:
        epoch, upto = backend.of(request).ask(feed.now)
        return _answer((), resume.seal(epoch, upto), more=False)
    epoch, place = resume.unseal("since", since)

    def question(connection: Connection) -> Delivery:
        return feed.read(connection, place, limit, sessions)

    delivery = backend.of(request).tell(question)
    resume.check(delivery, epoch)
    told = (f'{{"id":{json.dumps(resume.seal(epoch, change.place))},{change.text[1:]}' for change in delivery.changes)
    return _answer(told, resume.seal(epoch, delivery.upto), more=delivery.more)


def _answer(told: Iterable[str], cursor: str, *, more: bool) -> Response:
    return envelope.success(f'{{"changes":[{",".join(told)}],"cursor":{json.dumps(cursor)},"more":{json.dumps(more)}}}')
