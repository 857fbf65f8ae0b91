"""Reads sessions, chats and pages of messages from each kind of gateway.

The records in a page are unchanged records of the gateway. `event` puts one into an envelope that the parser of the
kind reads.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from worker.backfill.errors import BackfillError
from worker.backfill.http_client import BackfillClient
from worker.backfill.pages import WHOLE_SESSION, Gateway, Page, Period
from worker.senders import events
from worker.senders.whatsapp import json_document
from worker.senders.whatsapp.json_document import JsonObject

PAGE_SIZE: Final = 100


class Waha:
    """WAHA: pages of each chat, newest first."""

    def __init__(self, http: BackfillClient) -> None:
        self._http = http

    def sessions(self) -> list[str]:
        return _texts(self._http.get("/api/sessions", {"all": "true"}), "name")

    def chats(self, session: str) -> list[str]:
        path = f"/api/{quote(session, safe='')}/chats"

        def page(offset: int) -> object:
            return self._http.get(path, {"limit": PAGE_SIZE, "offset": offset})

        chats = _all_pages(page)
        return _texts([{"id": _plain_chat_id(chat.get("id"))} for chat in chats], "id")

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:
        offset = int(position or 0)
        parameters: dict[str, str | int] = {
            "limit": PAGE_SIZE,
            "offset": offset,
            "downloadMedia": "false",
            "filter.timestamp.lte": period.until // 1000,
        }
        if period.since is not None:
            parameters["filter.timestamp.gte"] = period.since // 1000
        path = f"/api/{quote(session, safe='')}/chats/{quote(chat, safe='')}/messages"
        return _page_by_offset(json_document.objects(self._http.get(path, parameters)), offset)

    def event(self, session: str, record: JsonObject) -> JsonObject:
        return {"event": events.BACKFILL, "session": session, "payload": record}


class Evolution:
    """Evolution: pages of the whole instance, without chats."""

    def __init__(self, http: BackfillClient) -> None:
        self._http = http

    def sessions(self) -> list[str]:
        instances = json_document.objects(self._http.get("/instance/fetchInstances"))
        inner = (json_document.as_object(each.get("instance")) or each for each in instances)
        return _texts([{"name": each.get("name") or each.get("instanceName")} for each in inner], "name")

    def chats(self, session: str) -> list[str]:  # noqa: ARG002 - messages of all chats come together
        return [WHOLE_SESSION]

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:  # noqa: ARG002
        number = int(position or 1)
        times = {"gte": _iso(period.since or 0), "lte": _iso(period.until)}
        body = {"where": {"messageTimestamp": times}, "page": number, "offset": PAGE_SIZE}
        answer = _object(self._http.post(f"/chat/findMessages/{quote(session, safe='')}", body), "messages")
        records, pages = json_document.objects(answer.get("records")), answer.get("pages")
        is_last = not records or not isinstance(pages, int) or number >= pages
        return Page(records, None if is_last else str(number + 1))

    def event(self, session: str, record: JsonObject) -> JsonObject:
        return {"event": events.BACKFILL, "instance": session, "data": record}


class OpenWa:
    """OpenWA: pages of the whole session, each starting after the last message of the previous one."""

    def __init__(self, http: BackfillClient) -> None:
        self._http = http

    def sessions(self) -> list[str]:
        return _texts(self._http.get("/api/sessions"), "id")

    def chats(self, session: str) -> list[str]:  # noqa: ARG002 - messages of all chats come together
        return [WHOLE_SESSION]

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:  # noqa: ARG002
        parameters: dict[str, str | int] = {
            "limit": PAGE_SIZE,
            "orderBy": "timestamp",
            "inlineMedia": "false",
            "until": period.until + 1,
        }
        if period.since is not None:
            parameters["since"] = period.since
        if position is not None:
            parameters["after"] = position
        answer = self._http.get(f"/api/sessions/{quote(session, safe='')}/messages", parameters)
        records = json_document.objects((json_document.as_object(answer) or {}).get("messages", answer))
        last = records[-1].get("id") if len(records) >= PAGE_SIZE else None
        return Page(records, last if isinstance(last, str) and last != position else None)

    def event(self, session: str, record: JsonObject) -> JsonObject:
        return {"event": events.BACKFILL, "sessionId": session, "data": record}


class Gowa:
    """GOWA: pages of each chat of each device."""

    def __init__(self, http: BackfillClient) -> None:
        self._http = http
        self._devices: dict[str, str] = {}
        """The id of each device by its own JID, which names the session."""

    def sessions(self) -> list[str]:
        answer = json_document.as_object(self._http.get("/devices")) or {}
        devices = json_document.objects(answer.get("results"))
        self._devices = {
            jid: device_id
            for device in devices
            if isinstance(jid := device.get("jid"), str) and jid and isinstance(device_id := device.get("id"), str)
        }
        return sorted(self._devices)

    def chats(self, session: str) -> list[str]:
        def page(offset: int) -> object:
            parameters = {"limit": PAGE_SIZE, "offset": offset}
            answer = _object(self._http.get("/chats", parameters, self._headers(session)), "results")
            return answer.get("data")

        return _texts(_all_pages(page), "jid")

    def page(self, session: str, chat: str, position: str | None, period: Period) -> Page:
        offset = int(position or 0)
        parameters: dict[str, str | int] = {
            "limit": PAGE_SIZE,
            "offset": offset,
            "end_time": _iso(period.until),
        }
        if period.since is not None:
            parameters["start_time"] = _iso(period.since)
        path = f"/chat/{quote(chat, safe='')}/messages"
        answer = _object(self._http.get(path, parameters, self._headers(session)), "results")
        return _page_by_offset(json_document.objects(answer.get("data")), offset)

    def event(self, session: str, record: JsonObject) -> JsonObject:
        return {"device_id": session, "event": events.BACKFILL, "payload": record}

    def _headers(self, session: str) -> Mapping[str, str]:
        return {"X-Device-Id": self._devices.get(session, session)}


_MAX_CHATS: Final = 200_000
"""The maximum number of chats of a session. A gateway that ignores the offset would list the same ones for ever."""
_GATEWAYS: Final[Mapping[str, Callable[[BackfillClient], Gateway]]] = {
    "waha": Waha,
    "evolution": Evolution,
    "openwa": OpenWa,
    "gowa": Gowa,
}
KINDS: Final = tuple(_GATEWAYS)


def connect(kind: str, base_url: str, api_key: str, *, pause_seconds: float) -> Gateway:
    """Return the gateway at this address. `kind` is one of KINDS."""
    match kind:
        case "gowa":
            headers = {"Authorization": f"Basic {base64.b64encode(api_key.encode()).decode()}"}
        case "evolution":
            headers = {"apikey": api_key}
        case _:
            headers = {"X-Api-Key": api_key}
    return _GATEWAYS[kind](BackfillClient(base_url, headers, pause_seconds=pause_seconds))


def to_body(event: JsonObject) -> bytes:
    """Return the bytes of an event.

    They are the same for the same record, so a record that is read again is a duplicate.
    """
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")


def _page_by_offset(records: Sequence[JsonObject], offset: int) -> Page:
    return Page(records, str(offset + len(records)) if len(records) >= PAGE_SIZE else None)


def _all_pages(page: Callable[[int], object]) -> list[JsonObject]:
    found: list[JsonObject] = []
    while len(found) < _MAX_CHATS:
        objects = json_document.objects(page(len(found)))
        found += objects
        if len(objects) < PAGE_SIZE:
            return found
    raise BackfillError(f"The gateway lists more than {_MAX_CHATS:,} chats: check its version and the sender's kind.")


def _object(answer: object, key: str) -> JsonObject:
    inner = json_document.as_object((json_document.as_object(answer) or {}).get(key))
    if inner is None:
        raise BackfillError(f"The gateway's answer has no {key}: check its version and the sender's kind.")
    return inner


def _texts(objects: object, key: str) -> list[str]:
    """Return the distinct texts under a key, sorted."""
    values = (each.get(key) for each in json_document.objects(objects))
    return sorted({value for value in values if isinstance(value, str) and value})


def _plain_chat_id(chat_id: object) -> object:
    """Return the id of a chat, which is an object in one of WAHA's engines."""
    fields = json_document.as_object(chat_id)
    return chat_id if fields is None else fields.get("_serialized")


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
