"""`GET /api/chats/{phone}/profile`: returns the addresses, labels and notes of a chat."""

from starlette.requests import Request
from starlette.responses import Response

from api.chats import messages
from api.http import database, responses
from store.reading.chats import chat_profile


def get_profile(request: Request) -> Response:
    """Respond with addresses, first and last messages, labels and notes, per session or account with the chat."""
    scope = messages.requested_scope(request)
    profiles = database.from_request(request).read(lambda connection: chat_profile.read(connection, scope))
    return responses.success(f'{{"chats":{profiles}}}')
