"""Formats outages of the gateway, in which messages of a conversation may be missing."""

import json
from dataclasses import asdict

from starlette.requests import Request

from api.http import database, timestamps
from store.history.sessions import outages
from store.history.sessions.outages import Outage
from store.reading.messages.message_pages import MessagePage

_TIME_FIELDS = ("connected_at", "first_at", "last_at", "ended_at")
_NO_UPPER_BOUND = 2**62


def page_json(request: Request, page: MessagePage) -> str:
    """Return the outages in the page's period as a JSON array, oldest first.

    It is empty if sessions are not polled.
    """
    pools = database.from_request(request)
    if not pools.settings.session_poll_seconds or not page.messages:
        return "[]"
    messages = [json.loads(message) for message in page.messages]
    session_ids = {message["session_id"] for message in messages}
    until = _NO_UPPER_BOUND if page.newer is None else messages[-1]["timestamp"]
    overlapping = pools.read_primary(
        lambda connection: outages.between(connection, session_ids, messages[0]["timestamp"], until)
    )
    return json.dumps([_outage_fields(outage) for outage in overlapping], ensure_ascii=False)


def _outage_fields(outage: Outage) -> dict[str, object]:
    return {**asdict(outage), **{name: timestamps.format_utc(getattr(outage, name)) for name in _TIME_FIELDS}}
