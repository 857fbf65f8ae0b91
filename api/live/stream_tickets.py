"""`POST /api/stream-tickets`: lets a browser's EventSource, which cannot send a token, open one stream."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, responses
from api.http.timestamps import format_utc
from store.access import stream_tickets
from store.access.stream_tickets import TicketHolder


def create_stream_ticket(request: Request) -> Response:
    """Respond with a ticket that has the caller's rights. The caller needs no right to write."""
    caller = access.caller(request)
    holder = TicketHolder(caller.token_id, caller.sign_in_nonce, caller.signed_in_until)
    ticket, expires_at = database.from_request(request).write(
        lambda connection: stream_tickets.create(connection, holder)
    )
    document = {"ticket": ticket, "expires_at": format_utc(expires_at)}
    return responses.success_object(document, responses.NO_STORE)
