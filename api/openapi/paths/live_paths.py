"""Describes the change feed (api/live)."""

from api.openapi import spec
from api.openapi.spec import BOOLEAN, DATE_TIME, STRING, Schema

_FEED_CURSOR = spec.cursor("feed", "The id of a change, or a cursor from a response.")
_EVENTS: Schema = {
    "description": "Events with `id:` and, except for the first, `data:`: a Change without its id.",
    "content": {"text/event-stream": {"schema": STRING}},
}

PATHS: Schema = {
    "/api/changes": spec.get(
        "List the changes after a cursor, oldest first. Without a cursor, get the current cursor.",
        [spec.query("since", _FEED_CURSOR), spec.LIMIT, spec.SESSION],
        spec.record(changes=spec.array(spec.ref("Change")), cursor=STRING, more=BOOLEAN),
        410,
    ),
    "/api/stream-tickets": {
        "post": {
            "summary": "Create a ticket that opens one stream within 30 seconds.",
            "parameters": [],
            "responses": {
                "200": spec.success(
                    "The ticket, with the caller's rights.", spec.record(ticket=STRING, expires_at=DATE_TIME)
                ),
                **spec.errors(),
            },
        }
    },
    "/api/stream": {
        "get": {
            "summary": "Stream changes as server-sent events, after a cursor or from now on.",
            "parameters": [
                spec.query("since", _FEED_CURSOR, "For clients that cannot send Last-Event-ID."),
                spec.SESSION,
                spec.query(
                    "ticket", spec.SHORT_TEXT, "From /api/stream-tickets, in place of the Authorization header."
                ),
                spec.header("Last-Event-ID", _FEED_CURSOR),
            ],
            "responses": {"200": _EVENTS, **spec.errors(410)},
        }
    },
}
