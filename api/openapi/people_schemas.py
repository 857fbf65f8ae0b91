"""Describes callers, tokens and the audit log."""

from api.openapi import spec
from api.openapi.spec import DATE_TIME, INTEGER, NULLABLE_DATE_TIME, NULLABLE_STRING, STRING
from store.access import tokens

SCHEMAS: spec.Schema = {
    "Token": spec.record(
        id=INTEGER,
        name=STRING,
        state=spec.enum("active", "expired", "revoked"),
        single_sign_on={"type": "boolean", "description": "Of a person who signs in at the OpenID Connect provider."},
        scopes=spec.array(spec.enum(*tokens.SCOPES)),
        sessions={
            "type": ["array", "null"],
            "items": STRING,
            "description": "Sessions, or phones for all sessions of an account. Null for all.",
        },
        per_minute={"type": ["integer", "null"], "description": "Requests a minute, or null for any number."},
        created_at=DATE_TIME,
        created_by={"type": ["string", "null"], "description": "Null for the command line."},
        expires_at=NULLABLE_DATE_TIME,
        last_used_at={"type": ["string", "null"], "format": "date-time", "description": "Up to one minute late."},
        revoked_at=NULLABLE_DATE_TIME,
    ),
    "AuditEntry": spec.record(
        id=INTEGER,
        at=DATE_TIME,
        caller=STRING,
        method=STRING,
        route={"type": "string", "description": "The pattern of the path, not the path itself."},
        status=INTEGER,
        chats={
            **spec.array(spec.record(session_id=STRING, address=STRING, name=NULLABLE_STRING)),
            "description": "The chats that it was about, except for erased ones.",
        },
        token={"type": ["string", "null"], "description": "The token that it created, changed or revoked."},
    ),
    "Caller": spec.record(
        name=STRING, scopes=spec.array(STRING), sessions={"type": ["array", "null"], "items": STRING}, csrf=STRING
    ),
}
