"""Imitates gateways that return the messages of a few chats in pages, as their documentation says, for backfills."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.servers.server_thread import POLL_SECONDS

API_KEY = "user:pretend-key"
SESSION = "919880000001"
"""The gateway's own number. GOWA names the session after it; for the others it is the session's name."""


@dataclass(frozen=True, slots=True)
class PastMessage:
    chat: str
    """The digits of a phone number."""
    message_id: str
    text: str
    time: int
    """The time of the message, in seconds."""
    is_from_me: bool = False


@dataclass(slots=True)
class PagedGateway:
    """A gateway whose pages have at most `page_size` messages, whatever limit the client requests."""

    kind: str
    messages: list[PastMessage]
    page_size: int = 100
    failures: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """The statuses of the next responses, each with its Retry-After."""
    calls: list[str] = field(default_factory=list[str])
    """The pages of messages that were requested."""
    _server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: Any) -> None:  # noqa: ANN401 - JSON
                retry_after = None
                if not gateway._is_authorized(self.headers):
                    status, answer = 401, {"error": "unauthorized"}
                elif gateway.failures:
                    (status, retry_after), answer = gateway.failures.pop(0), {}
                else:
                    parts = urlsplit(self.path)
                    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                    status, answer = 200, gateway._route(unquote(parts.path), query, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Suppress the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _is_authorized(self, headers: Message) -> bool:
        if self.kind == "gowa":
            return headers.get("Authorization") == "Basic " + base64.b64encode(API_KEY.encode()).decode()
        return headers.get("apikey" if self.kind == "evolution" else "X-Api-Key") == API_KEY

    def _route(self, path: str, query: dict[str, str], body: Any) -> object:  # noqa: ANN401 - JSON
        if path in ("/api/sessions", "/devices", "/instance/fetchInstances"):
            return self._sessions()
        if path.endswith("/chats"):
            return self._chats(int(query["offset"]))
        self.calls.append(f"{path} {query or body}")
        match self.kind:
            case "waha":
                newest = self._newest(path.split("/")[4].partition("@")[0], _ms(query, "filter.timestamp.gte", 1000))
                return [_waha(one) for one in self._slice(newest, int(query["offset"]))]
            case "gowa":
                newest = self._newest(path.split("/")[2].partition("@")[0], _iso_ms(query.get("start_time")))
                page = self._slice(newest, int(query["offset"]))
                return {"code": "SUCCESS", "results": {"data": [_gowa(one) for one in page], "pagination": {}}}
            case "openwa":
                newest = self._newest(None, _ms(query, "since", 1))
                ids = [f"row-{one.message_id}" for one in newest]
                page = self._slice(newest, ids.index(query["after"]) + 1 if "after" in query else 0)
                return {"messages": [_openwa(one) for one in page], "total": len(newest)}
            case _:
                newest = self._newest(None, _iso_ms(body["where"]["messageTimestamp"]["gte"]))
                size = min(body["offset"], self.page_size)
                page = self._slice(newest, (body["page"] - 1) * size)
                answer = {"total": len(newest), "pages": -(-len(newest) // size), "currentPage": body["page"]}
                return {"messages": {**answer, "records": [_evolution(one) for one in page]}}

    def _sessions(self) -> object:
        match self.kind:
            case "gowa":
                return {"results": [{"id": "device-1", "jid": f"{SESSION}@s.whatsapp.net", "state": "connected"}]}
            case "openwa":
                return [{"id": SESSION, "name": "shop", "status": "ready"}]
            case _:
                return [{"name": SESSION, "status": "WORKING"}]

    def _chats(self, offset: int) -> object:
        phones = sorted({one.chat for one in self.messages})[offset : offset + self.page_size]
        if self.kind == "waha":
            return [{"id": f"{phone}@c.us", "name": None} for phone in phones]
        return {"results": {"data": [{"jid": f"{phone}@s.whatsapp.net"} for phone in phones], "pagination": {}}}

    def _newest(self, chat: str | None, since: int) -> list[PastMessage]:
        wanted = [one for one in self.messages if chat in (None, one.chat) and one.time * 1000 >= since]
        return sorted(wanted, key=lambda one: -one.time)

    def _slice(self, messages: list[PastMessage], offset: int) -> list[PastMessage]:
        return messages[offset : offset + self.page_size]


def _ms(query: dict[str, str], name: str, factor: int) -> int:
    return int(query.get(name, "0")) * factor


def _iso_ms(text: str | None) -> int:
    return 0 if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def _waha(one: PastMessage) -> object:
    return {
        "id": f"{str(one.is_from_me).lower()}_{one.chat}@c.us_{one.message_id}",
        "timestamp": one.time,
        "from": f"{one.chat}@c.us",
        "fromMe": one.is_from_me,
        "body": one.text,
        "hasMedia": False,
        "ack": 3,
        "ackName": "READ",
    }


def _evolution(one: PastMessage) -> object:
    key = {"id": one.message_id, "fromMe": one.is_from_me, "remoteJid": f"{one.chat}@s.whatsapp.net"}
    content = {"messageType": "conversation", "message": {"conversation": one.text}}
    return {"id": f"row-{one.message_id}", "key": key, **content, "messageTimestamp": one.time}


def _openwa(one: PastMessage) -> object:
    return {
        "id": f"row-{one.message_id}",
        "waMessageId": one.message_id,
        "chatId": f"{one.chat}@c.us",
        "from": f"{one.chat}@c.us",
        "body": one.text,
        "type": "text",
        "direction": "outgoing" if one.is_from_me else "incoming",
        "timestamp": one.time,
        "status": "read",
    }


def _gowa(one: PastMessage) -> object:
    return {
        "id": one.message_id,
        "chat_jid": f"{one.chat}@s.whatsapp.net",
        "sender_jid": f"{SESSION if one.is_from_me else one.chat}@s.whatsapp.net",
        "content": one.text,
        "timestamp": datetime.fromtimestamp(one.time, UTC).isoformat(),
        "is_from_me": one.is_from_me,
        "media_type": "",
    }
