"""Describes the statistics that `GET /api/stats` returns."""

from api.openapi import spec
from api.openapi.spec import BOOLEAN, DATE_TIME, INTEGER, NULLABLE_STRING, STRING

_RESPONSE_TIMES: spec.Schema = {
    "asked": INTEGER,
    "answered": INTEGER,
    "median_seconds": {"type": ["number", "null"]},
    "p90_seconds": {"type": ["number", "null"]},
}
_WAITING_CHAT = spec.record(session_id=STRING, address=STRING, name=NULLABLE_STRING, waiting_since=DATE_TIME)

STATS = spec.record(
    messages=spec.array(spec.record(begins=DATE_TIME, session_id=STRING, incoming=INTEGER, outgoing=INTEGER)),
    first_responses=spec.record(
        **_RESPONSE_TIMES,
        by_step={
            **spec.array(spec.record(begins=DATE_TIME, **_RESPONSE_TIMES)),
            "description": "By the step in which the wait began.",
        },
        by_session={
            **spec.array(spec.record(session_id=STRING, **_RESPONSE_TIMES)),
            "description": "Those of an account are counted for its first session.",
        },
    ),
    waiting=spec.record(
        chats=INTEGER,
        longest=spec.array(_WAITING_CHAT),
        by_session={
            **spec.array(spec.record(session_id=STRING, chats=INTEGER, waiting_since=DATE_TIME)),
            "description": "With the time since which somebody has been waiting longest.",
        },
    ),
    unread=spec.record(messages=INTEGER, chats=INTEGER),
    auto_replies={
        **spec.array(spec.record(session_id=STRING, enabled=BOOLEAN, reported_at=DATE_TIME)),
        "description": "If the gateway replies automatically, chats with a reply may count as waiting.",
    },
)
