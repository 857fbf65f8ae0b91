"""When the gateway was seen away while a page of a conversation was going on: messages may be missing there."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from starlette.requests import Request

from api.http import database
from store.history import outages
from store.history.outages import Outage
from store.reading.message_pages import Page

_TIMES = ("connected_at", "first_at", "last_at", "ended_at")
_FOR_EVER = 2**62


def of_page(request: Request, page: Page) -> str:
    """The outages that touch the page as a JSON array, the oldest first; none where no session is watched."""
    shared = database.of(request)
    if not shared.settings.watch_seconds or not page.messages:
        return "[]"
    shown = [json.loads(message) for message in page.messages]
    session_ids = {one["session_id"] for one in shown}
    until = _FOR_EVER if page.after is None else shown[-1]["timestamp"]
    found = shared.ask(lambda connection: outages.between(connection, session_ids, shown[0]["timestamp"], until))
    return json.dumps([described(outage) for outage in found], ensure_ascii=False)


def described(outage: Outage) -> dict[str, object]:
    """An outage as clients see it: its times in UTC."""
    return {**asdict(outage), **{name: _iso(getattr(outage, name)) for name in _TIMES}}


def _iso(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
