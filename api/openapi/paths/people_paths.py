"""Describes tokens and the audit log (api/people)."""

from api.openapi import spec
from api.openapi.spec import NULLABLE_CURSOR, NULLABLE_STRING, STRING, Schema
from api.people import token_requests
from store.access import tokens

_TOKEN_ID = spec.path("id", {"type": "integer", "minimum": 1, "maximum": 10**18 - 1})
_EXPIRES_AT: Schema = {
    "type": ["string", "null"],
    "format": "future-moment",
    "description": "ISO 8601 (UTC if it has no offset), or milliseconds since 1970 as text. Null for never.",
}
_NEW_TOKEN: Schema = {
    "type": "object",
    "properties": {
        "name": spec.formatted("token-name", "Unique among tokens that are not revoked.", tokens.MAX_NAME_LENGTH)
        | {"minLength": 1},
        "scopes": spec.array(spec.enum(*tokens.SCOPES)) | {"minItems": 1, "description": 'Default: ["read"].'},
        "sessions": {
            "type": ["array", "null"],
            "items": {
                "type": "string",
                "minLength": 1,
                "maxLength": token_requests.MAX_SESSION_LENGTH,
                "pattern": spec.NO_NUL_PATTERN,
            },
            "minItems": 1,
            "maxItems": token_requests.MAX_SESSIONS,
            "description": "Sessions, or phones for all sessions of an account. Null (default) for all.",
        },
        "per_minute": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": token_requests.MAX_PER_MINUTE,
            "description": f"Requests a minute, or null for any number. Default: {token_requests.DEFAULT_PER_MINUTE}.",
        },
        "expires_at": _EXPIRES_AT,
        "page": {
            "type": ["string", "null"],
            "maxLength": token_requests.MAX_PAGE_LENGTH,
            "pattern": token_requests.PAGE_PATTERN,
            "description": "The address of the dashboard. If given, the response has a link and a QR code to sign in.",
        },
    },
    "required": ["name"],
}
_CREATED = spec.success(
    "Created. The secret is not shown again.",
    {
        "allOf": [
            spec.ref("Token"),
            spec.record(
                token=STRING,
                link=NULLABLE_STRING,
                qr={"type": ["string", "null"], "description": "An SVG document: the link as a QR code."},
            ),
        ]
    },
    links=spec.links(change=("/api/tokens/{id}/patch", "id", "id"), revoke=("/api/tokens/{id}/delete", "id", "id")),
)
_TOKEN = {"200": spec.success("The token.", spec.ref("Token"))}
_CHANGE: Schema = {"type": "object", "properties": {"expires_at": _EXPIRES_AT}, "required": ["expires_at"]}

PATHS: Schema = {
    "/api/tokens": {
        **spec.get(
            "List the tokens within the caller's sessions, newest first. Requires the scope admin.",
            [spec.LIMIT, spec.query("cursor", spec.cursor("tokens"))],
            spec.record(tokens=spec.array(spec.ref("Token")), cursor=NULLABLE_CURSOR),
        ),
        "post": {
            "summary": "Create a token with rights that the caller has. Requires the scope admin.",
            "parameters": [],
            **spec.json_body(_NEW_TOKEN),
            "responses": {"201": _CREATED, **spec.errors(409, 413)},
        },
    },
    "/api/tokens/{id}": {
        "patch": {
            "summary": "Change when a token expires. Requires the scope admin.",
            "parameters": [_TOKEN_ID],
            **spec.json_body(_CHANGE),
            "responses": {**_TOKEN, **spec.errors(404, 409, 413)},
        },
        "delete": {
            "summary": "Revoke a token. Requires the scope admin.",
            "parameters": [_TOKEN_ID],
            "responses": {**_TOKEN, **spec.errors(404)},
        },
    },
    "/api/audit": spec.get(
        "List the requests that changed something or tried to, newest first. Requires the scope admin.",
        [spec.LIMIT, spec.query("cursor", spec.cursor("audit"))],
        spec.record(entries=spec.array(spec.ref("AuditEntry")), cursor=NULLABLE_CURSOR),
    ),
}
