"""`/api/chats/{phone}/notes`: adds, changes and deletes notes about a chat. Each response contains all of its notes."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import annotations
from api.http import responses
from api.http.errors import ApiError
from store.annotations import notes


@annotations.endpoint
def add_note(request: Request, fields: dict[str, object]) -> Response:
    text = annotations.parse_text(fields.get("text"), "text", notes.MAX_LENGTH)
    scope = annotations.audited_scope(request)
    with annotations.writing(request) as connection:
        return _notes_response(notes.add(connection, scope, access.caller(request).name, text))


@annotations.endpoint
def change_note(request: Request, fields: dict[str, object]) -> Response:
    return _replace(request, annotations.parse_text(fields.get("text"), "text", notes.MAX_LENGTH))


def delete_note(request: Request) -> Response:
    access.caller(request).require_scope("write")
    return _replace(request, None)


def _replace(request: Request, text: str | None) -> Response:
    note_id = request.path_params["id"]
    if not (note_id.isascii() and note_id.isdecimal() and len(note_id) < 19):
        raise ApiError(404, "note_not_found", "This chat has no note with that id.")
    scope = annotations.audited_scope(request)
    with annotations.writing(request) as connection:
        return _notes_response(notes.change(connection, scope, int(note_id), access.caller(request).name, text))


def _notes_response(notes_json: str) -> Response:
    return responses.success(f'{{"notes":{notes_json}}}')
