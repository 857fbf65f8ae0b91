"""When the gateway was seen away while a page of a conversation was going on: messages may be missing there."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from starlette.requests import Request

from api.http import database
from store.history import outages
from store.history.outages import Outage
from store.reading.message_pages import MessagePage

_TIME_FIELDS = ("connected_at", "first_at", "last_at", "ended_at")
_NO_UPPER_BOUND = 2**62


def page_json(request: Request, page: MessagePage) -> str:
    """The outages that touch the page as a JSON array, the oldest first; none where no session is watched."""
    shared = database.from_request(request)
    if not shared.settings.session_poll_seconds or not page.messages:
        return "[]"
    shown = [json.loads(message) for message in page.messages]
    session_ids = {one["session_id"] for one in shown}
    until = _NO_UPPER_BOUND if page.newer is None else shown[-1]["timestamp"]
    found = shared.read_primary(
        lambda connection: outages.between(connection, session_ids, shown[0]["timestamp"], until)
    )
    return json.dumps([as_json(outage) for outage in found], ensure_ascii=False)


def as_json(outage: Outage) -> dict[str, object]:
    """An outage as clients see it: its times in UTC."""
    return {**asdict(outage), **{name: _format_utc(getattr(outage, name)) for name in _TIME_FIELDS}}


def _format_utc(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
