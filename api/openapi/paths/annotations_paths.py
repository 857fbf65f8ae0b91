"""Describes stars, labels, notes and the details of chats and messages (api/chats)."""

from api.openapi import spec
from api.openapi.paths.chats_paths import PHONE
from api.openapi.spec import BOOLEAN, NULLABLE_CURSOR, STRING, Schema
from store.annotations import labels, notes

_SCOPE = [PHONE, spec.SESSION]
_NOTE_ID = spec.path("id", {"type": "string", "pattern": "^[0-9]{1,18}$"})
_MESSAGE_ID: Schema = {"type": "string", "minLength": 1, "pattern": spec.NO_NUL_PATTERN}
_LABEL: Schema = {"type": "string", "minLength": 1, "maxLength": labels.MAX_LENGTH, "format": "label"}
_LABEL_LIST: Schema = {"type": ["array", "null"], "items": _LABEL, "maxItems": labels.MAX_PER_CHAT}
_NOTE_BODY: Schema = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": notes.MAX_LENGTH, "format": "note"}},
    "required": ["text"],
}
_NOTES = {"200": spec.success("All notes of the chat.", spec.record(notes=spec.array(spec.ref("Note"))))}


def _note(summary: str, parameters: list[Schema], *statuses: int) -> Schema:
    return spec.post(summary, parameters, {**_NOTES, **spec.errors(404, 413, *statuses)}, _NOTE_BODY, required=True)


_DELETE: Schema = {
    "delete": {
        "summary": "Delete a note.",
        "parameters": [*_SCOPE, _NOTE_ID],
        "responses": {**_NOTES, **spec.errors(404)},
    }
}

PATHS: Schema = {
    "/api/chats/{phone}/profile": spec.get(
        "Get the addresses, first and last messages, labels and notes of a chat, for each session or account.",
        _SCOPE,
        spec.record(chats=spec.array(spec.ref("Profile"))),
    ),
    "/api/chats/{phone}/details": spec.get(
        "Get the texts, receipts, copies and events of a message.",
        [
            *_SCOPE,
            spec.query("message_id", spec.SHORT_TEXT | {"minLength": 1}, required=True),
            spec.query("raw", BOOLEAN, "Include the stored events about it. Requires the scope admin."),
        ],
        spec.ref("Details"),
        404,
    ),
    "/api/chats/{phone}/star": spec.post(
        "Add a star to a message, or remove it.",
        _SCOPE,
        {"200": spec.success("The state.", spec.record(starred=BOOLEAN)), **spec.errors(404, 413)},
        {
            "type": "object",
            "properties": {"message_id": _MESSAGE_ID, "starred": BOOLEAN},
            "required": ["message_id"],
        },
        required=True,
    ),
    "/api/starred": spec.get(
        "List the starred messages of all chats, newest first.",
        [
            spec.LIMIT,
            spec.query("cursor", spec.cursor("starred"), "From the previous page: continues with older messages."),
            spec.SESSION,
            spec.LABEL,
        ],
        spec.record(messages=spec.array(spec.ref("Starred")), cursor=NULLABLE_CURSOR),
    ),
    "/api/labels": spec.get(
        "List the labels in use with the number of chats of each.",
        [spec.SESSION],
        spec.record(labels=spec.array(spec.record(label=STRING, chats=spec.INTEGER))),
    ),
    "/api/chats/{phone}/labels": spec.post(
        "Add and remove labels of a chat.",
        _SCOPE,
        {
            "200": spec.success("All labels of the chat.", spec.record(labels=spec.array(STRING))),
            **spec.errors(404, 409, 413),
        },
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"add": _LABEL_LIST, "remove": _LABEL_LIST}
                    | {name: {**_LABEL_LIST, "type": "array", "minItems": 1}},
                    "required": [name],
                }
                for name in ("add", "remove")
            ]
        },
        required=True,
    ),
    "/api/chats/{phone}/notes": _note("Add a note to a chat.", _SCOPE, 409),
    "/api/chats/{phone}/notes/{id}": _note("Change a note.", [*_SCOPE, _NOTE_ID]) | _DELETE,
}
