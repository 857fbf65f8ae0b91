"""`GET /api/ledger`: returns the numbers of received events by outcome, and of lost events."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import database, responses
from api.http.timestamps import format_utc
from store.ledger import ledger


def get_ledger(request: Request) -> Response:
    """Respond with the whole ledger.

    The caller must see all sessions, because the counts are not divided by session.
    """
    access.caller(request).require_all_sessions("The ledger")
    totals = database.from_request(request).read_primary(ledger.read)
    times = {
        "as_of": format_utc(totals.as_of),
        "oldest_waiting_at": format_utc(totals.oldest_waiting_at),
        "unknown": [{**question.document(), "since": format_utc(question.since)} for question in totals.unknown],
        "accepted_losses": [
            {**loss.document(), "accepted_at": format_utc(loss.accepted_at)} for loss in totals.accepted_losses
        ],
    }
    return responses.success_object(totals.document() | times)
