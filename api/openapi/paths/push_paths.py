"""Describes the notifications of devices (api/push)."""

from api.openapi import spec
from api.openapi.spec import BOOLEAN, NULLABLE_STRING, STRING, Schema
from api.push import endpoints, routes

_ENDPOINT: Schema = {"type": "string", "minLength": 1, "maxLength": endpoints.MAX_LENGTH}
_SUBSCRIPTION = spec.record(
    ("text", "sound", "muted"),
    endpoint={**_ENDPOINT, "description": "An https URL of a push service in PUSH_HOSTS."},
    p256dh={**STRING, "description": "The browser's key, as base64 for URLs."},
    auth={**STRING, "description": "The browser's secret, as base64 for URLs."},
    text={**BOOLEAN, "description": "True if notifications have the text of the message."},
    sound=BOOLEAN,
    muted={
        **spec.array(spec.record(session_id=STRING, address=STRING)),
        "maxItems": routes.MAX_MUTED,
        "description": "Chats of which the device shows no notifications.",
    },
)
_DONE = {"200": spec.success("Done.", spec.record()), **spec.errors(404, 413)}

PATHS: Schema = {
    "/api/push": {
        **spec.get("Get the key with which a browser subscribes.", [], spec.record(key=NULLABLE_STRING)),
        **spec.post("Notify a device of new messages.", [], _DONE, _SUBSCRIPTION, required=True),
        "delete": {
            "summary": "Stop notifying a device.",
            "parameters": [],
            **spec.json_body(spec.record(endpoint=_ENDPOINT)),
            "responses": _DONE,
        },
    },
}
