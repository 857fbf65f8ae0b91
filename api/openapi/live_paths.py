"""What `/openapi.json` says of the change feed, of redrives and of signing in."""

from api.openapi.builders import (
    NO_NUL,
    TEXT,
    YES,
    Schema,
    asked,
    get,
    in_path,
    json_answer,
    of_kind,
    post,
    ref,
    refusals,
    several,
    thing,
)
from api.openapi.chats_paths import SESSION
from api.operations.redrives import MOST

_FEED = of_kind("cursor-of-feed", "The id of a change, or a cursor that an answer gave.", 8192)
_CHOICE: Schema = {
    "type": "object",
    "properties": {
        "digests": {
            "type": ["array", "null"],
            "items": {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64},
            "minItems": 1,
            "maxItems": MOST,
            "description": "As /api/parked tells them; without them: everything that is parked.",
        },
        "reason": {"type": ["string", "null"], "minLength": 1, "pattern": NO_NUL, "description": "Only those."},
    },
}
_TO_REDRIVE: Schema = {
    "redrive": {
        "operationRef": "#/paths/~1api~1parked~1redrive~1{id}/get",
        "parameters": {"id": "$response.body#/data/id"},
    }
}
_CALLER = json_answer("Who is signed in; the cookie is in Set-Cookie.", ref("Caller"))
PATHS: Schema = {
    "/api/changes": {
        "get": get(
            "What changed since a cursor, oldest first; without one, the cursor that means now.",
            [
                asked("since", _FEED),
                asked("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
                SESSION,
            ],
            thing({"changes": several(ref("Change")), "cursor": TEXT, "more": YES}),
            410,
        )
    },
    "/api/stream": {
        "get": {
            "summary": "Every change as it happens, as server-sent events; without a cursor, from now on.",
            "parameters": [
                asked("since", _FEED, "For clients that cannot send Last-Event-ID."),
                SESSION,
                {"name": "Last-Event-ID", "in": "header", "required": False, "schema": _FEED},
            ],
            "responses": {
                "200": {
                    "description": "Events with `id:` and, but for the first, `data:`: a Change without its id.",
                    "content": {"text/event-stream": {"schema": TEXT}},
                },
                **refusals(410),
            },
        }
    },
    "/api/parked/redrive": {
        "post": post(
            "Have what is parked tried again, within seconds, by a worker. Needs the scope admin.",
            [],
            _CHOICE,
            {
                "202": json_answer("Written down; an open one of the same choice is the same.", ref("Redrive"))
                | {"links": _TO_REDRIVE},
                **refusals(413),
            },
        )
    },
    "/api/parked/redrive/{id}": {
        "get": get("What became of a redrive.", [in_path("id", {"type": "integer", "minimum": 1})], ref("Redrive"), 404)
    },
    "/api/session": {
        "get": {
            "summary": "Who is signed in.",
            "responses": {"200": _CALLER, **refusals()},
        },
        "post": {
            "summary": "Sign in with a token: a cookie takes its place.",
            "responses": {"200": _CALLER, **refusals()},
        },
        "delete": {
            "summary": "Sign out: the cookie is taken back.",
            "responses": {"200": json_answer("Signed out.", {"type": "object"}), **refusals()},
        },
    },
}
