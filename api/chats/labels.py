"""`POST /api/chats/{phone}/labels` and `GET /api/labels`: changes the labels of a chat, and lists all labels."""

from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import annotations
from api.http import database, errors, responses
from store.annotations import labels
from store.reading.chats import chat_profile


@annotations.endpoint
def change_labels(request: Request, fields: dict[str, object]) -> Response:
    """Add and remove labels of a chat. Respond with all of its labels."""
    add, remove = _parse(fields, "add"), _parse(fields, "remove")
    if not add and not remove:
        raise errors.bad_parameter("Give labels to add or to remove.")
    scope = annotations.audited_scope(request)
    with annotations.writing(request) as connection:
        changed = labels.change(connection, scope, access.caller(request).name, add, remove)
    return responses.success_object({"labels": changed})


def _parse(fields: dict[str, object], name: str) -> list[str]:
    given = fields.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or len(cast("list[object]", given)) > labels.MAX_PER_CHAT:
        raise errors.bad_parameter(f"{name} must be a list of at most {labels.MAX_PER_CHAT} labels.")
    texts = cast("list[object]", given)
    return [annotations.parse_text(text, name, labels.MAX_LENGTH, str.isprintable) for text in texts]


def list_labels(request: Request) -> Response:
    """Respond with the labels in use and the number of chats of each."""
    sessions = access.requested_sessions(request)
    used = database.from_request(request).read(lambda connection: chat_profile.used_labels(connection, sessions))
    listed = [{"label": label, "chats": chats} for label, chats in used]
    return responses.success_object({"labels": listed})
