"""Describes statistics, the ledger, sessions and parked events (api/operations)."""

from api.openapi import spec
from api.openapi.spec import NULLABLE_CURSOR, Schema
from api.operations.redrives import MAX_DIGESTS
from store.annotations import session_naming
from store.ledger import set_aside_events

_REDRIVE_BODY: Schema = {
    "type": "object",
    "properties": {
        "digests": {
            "type": ["array", "null"],
            "items": {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64},
            "minItems": 1,
            "maxItems": MAX_DIGESTS,
            "description": "Digests from /api/parked. Default: all parked events, unless there is a reason.",
        },
        "reason": {
            "type": ["string", "null"],
            "minLength": 1,
            "pattern": spec.NO_NUL_PATTERN,
            "description": "Only events that are parked, or noise, for this reason.",
        },
        "kind": {"type": ["string", "null"], "enum": [*set_aside_events.KINDS, None]},
    },
}
_DIGEST = spec.path("digest", {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64})
_SESSION_BODY: Schema = {
    "type": "object",
    "properties": {
        "display_name": {
            "type": ["string", "null"],
            "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
            "minLength": 1,
            "maxLength": session_naming.MAX_NAME_LENGTH,
            "description": "Null removes the name.",
        },
        "colour": {"type": ["string", "null"], "enum": [*session_naming.COLOURS, None]},
    },
    "anyOf": [{"required": ["display_name"]}, {"required": ["colour"]}],
}
_REQUESTED = spec.success(
    "Requested. If a request with the same selection is open, this is that request.",
    spec.ref("Redrive"),
    links=spec.links(redrive=("/api/parked/redrive/{id}/get", "id", "id")),
)

PATHS: Schema = {
    "/api/stats": spec.get(
        "Get message counts and response times per minute, hour, day or week, waiting chats and unread messages.",
        [
            *spec.TIME_RANGE,
            spec.query("step", spec.enum("minute", "hour", "day", "week"), "Default: day. Weeks begin on Monday."),
            spec.query(
                "zone",
                spec.formatted("time-zone", "A name of the time zone database, such as Asia/Kolkata. Default: UTC."),
            ),
            spec.SESSION,
        ],
        spec.ref("Stats"),
    ),
    "/api/sessions": spec.get("List the sessions.", [], spec.record(sessions=spec.array(spec.ref("Session")))),
    "/api/sessions/{session_id}": {
        "patch": {
            "summary": "Name a session and its account, and choose the colour. Requires the scope admin.",
            "parameters": [spec.path("session_id", {"type": "string", "minLength": 1})],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _SESSION_BODY}}},
            "responses": {"200": spec.success("The session.", spec.ref("Session")), **spec.errors(404, 413)},
        }
    },
    "/api/test-events": {
        **spec.get(
            "Get the address of ingest, and the variables that are missing before a test event can be sent.",
            [],
            spec.record(webhook_url=spec.NULLABLE_STRING, missing=spec.array(spec.STRING)),
        ),
        **spec.post(
            "Send a signed test event through ingest. Requires the scope admin, for all sessions.",
            [],
            {
                "200": spec.success(
                    "ingest has acknowledged it. It becomes no message; the ledger counts it as a ping.",
                    spec.record(digest=spec.STRING, milliseconds=spec.INTEGER),
                ),
                **spec.errors(409, 502),
            },
        ),
    },
    "/api/test-events/{digest}": {
        **spec.get("Get whether a worker has stored a test event.", [_DIGEST], spec.record(stored=spec.BOOLEAN), 404),
        "delete": {
            "summary": "Delete the body of a counted test event. Requires the scope admin, for all sessions.",
            "parameters": [_DIGEST],
            "responses": {"200": spec.success("Deleted.", spec.record(removed=spec.BOOLEAN)), **spec.errors(404)},
        },
    },
    "/api/ledger": spec.get("Get the numbers of received events by outcome.", [], spec.ref("Ledger")),
    "/api/parked": spec.get(
        "List parked events, or noise, newest first.",
        [
            spec.LIMIT,
            spec.query("cursor", spec.cursor("parked")),
            spec.query("kind", spec.enum(*set_aside_events.KINDS), "Default: parked."),
            spec.SESSION,
        ],
        spec.record(parked=spec.array(spec.ref("Parked")), cursor=NULLABLE_CURSOR),
    ),
    "/api/parked/reasons": spec.get(
        "Count parked events and noise by reason.",
        [spec.SESSION],
        spec.record(
            reasons=spec.array(
                spec.record(kind=spec.enum(*set_aside_events.KINDS), reason=spec.STRING, count=spec.INTEGER)
            )
        ),
    ),
    "/api/parked/redrive": spec.post(
        "Request that parked events or noise are parsed again, within seconds, by a worker. Requires the scope admin.",
        [],
        {"202": _REQUESTED, **spec.errors(413)},
        _REDRIVE_BODY,
    ),
    "/api/parked/redrive/{id}": spec.get(
        "Get the state of a redrive.", [spec.path("id", {"type": "integer", "minimum": 1})], spec.ref("Redrive"), 404
    ),
}
