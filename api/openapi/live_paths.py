"""Describes the change feed (api/live)."""

from api.openapi import spec
from api.openapi.spec import BOOLEAN, STRING, Schema

_FEED_CURSOR = spec.cursor("feed", "The id of a change, or a cursor from a response.")
_EVENTS: Schema = {
    "description": "Events with `id:` and, except for the first, `data:`: a Change without its id.",
    "content": {"text/event-stream": {"schema": STRING}},
}

PATHS: Schema = {
    "/api/changes": spec.get(
        "List the changes after a cursor, oldest first; without a cursor, get the current one.",
        [spec.query("since", _FEED_CURSOR), spec.LIMIT, spec.SESSION],
        spec.record(changes=spec.array(spec.ref("Change")), cursor=STRING, more=BOOLEAN),
        410,
    ),
    "/api/stream": {
        "get": {
            "summary": "Stream changes as server-sent events, after a cursor or from now on.",
            "parameters": [
                spec.query("since", _FEED_CURSOR, "For clients that cannot send Last-Event-ID."),
                spec.SESSION,
                spec.header("Last-Event-ID", _FEED_CURSOR),
            ],
            "responses": {"200": _EVENTS, **spec.errors(410)},
        }
    },
}
