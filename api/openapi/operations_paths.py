"""Describes statistics, the ledger, sessions and parked events (api/operations)."""

from api.openapi.builders import (
    LIMIT_PARAMETER,
    NO_NUL_PATTERN,
    NULLABLE_CURSOR,
    SESSION_PARAMETER,
    TIME_RANGE_PARAMETERS,
    Schema,
    array_schema,
    cursor_schema,
    enum_schema,
    error_responses,
    formatted_string,
    get_operation,
    links,
    object_schema,
    path_parameter,
    post_operation,
    query_parameter,
    schema_ref,
    success_response,
)
from api.operations.redrives import MAX_DIGESTS

_REDRIVE_BODY: Schema = {
    "type": "object",
    "properties": {
        "digests": {
            "type": ["array", "null"],
            "items": {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64},
            "minItems": 1,
            "maxItems": MAX_DIGESTS,
            "description": "Digests from /api/parked; without them, all parked events.",
        },
        "reason": {
            "type": ["string", "null"],
            "minLength": 1,
            "pattern": NO_NUL_PATTERN,
            "description": "Only events parked for this reason.",
        },
    },
}

PATHS: Schema = {
    "/api/stats": {
        "get": get_operation(
            "Get message counts per minute, hour or day, response times, waiting chats and unread messages.",
            [
                *TIME_RANGE_PARAMETERS,
                query_parameter("step", enum_schema("minute", "hour", "day")),
                query_parameter("zone", formatted_string("time-zone", "Such as Asia/Kolkata.", 64)),
                SESSION_PARAMETER,
            ],
            schema_ref("Stats"),
        )
    },
    "/api/sessions": {
        "get": get_operation("List the sessions.", [], object_schema({"sessions": array_schema(schema_ref("Session"))}))
    },
    "/api/ledger": {"get": get_operation("Get the counts of received events, by outcome.", [], schema_ref("Ledger"))},
    "/api/parked": {
        "get": get_operation(
            "List parked events, newest first.",
            [LIMIT_PARAMETER, query_parameter("cursor", cursor_schema("parked")), SESSION_PARAMETER],
            object_schema({"parked": array_schema(schema_ref("Parked")), "cursor": NULLABLE_CURSOR}),
        )
    },
    "/api/parked/redrive": {
        "post": post_operation(
            "Request that parked events are parsed again, within seconds, by a worker. Requires the scope admin.",
            [],
            _REDRIVE_BODY,
            {
                "202": success_response(
                    "Requested; the same as an open request with the same selection.",
                    schema_ref("Redrive"),
                    links=links(redrive=("/api/parked/redrive/{id}/get", "id", "id")),
                ),
                **error_responses(413),
            },
        )
    },
    "/api/parked/redrive/{id}": {
        "get": get_operation(
            "Get the state of a redrive.",
            [path_parameter("id", {"type": "integer", "minimum": 1})],
            schema_ref("Redrive"),
            404,
        )
    },
}
