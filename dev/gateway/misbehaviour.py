"""Makes the next calls of a kind fail in a given way."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.gateway import responses
from dev.gateway.connections import OpenConnections
from dev.gateway.state import GatewayState, SendStatus

MisbehaviourKind = Literal[
    "answer", "queued", "failed", "hang", "hang_after", "slow", "reset", "reset_after", "garbage", "drip", "cut"
]
MISBEHAVIOUR_KINDS = get_args(MisbehaviourKind)
MAX_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """The way in which the next calls fail.

    answer: `status` with SAK's error response and `headers`, without doing anything. queued, failed: the outcome of the
    send, with HTTP 200 if SAK uses 200. hang, reset: no response, or a reset connection, before the request's body was
    read and anything was done. hang_after, reset_after: the same after it was done. slow: it is done, and the response
    comes `seconds` late. garbage, cut: it is done, and the response is not JSON or is cut off. drip: it is done, and
    the response comes one byte every `seconds`, starting with its first header.
    """

    kind: MisbehaviourKind
    call: str = "*"
    """The call, such as `POST /messages/send`, or `*` for every call."""
    times: int | None = 1
    """The number of calls, or None for all until changed."""
    status: int = 500
    code: str = "SEND_MESSAGE_FAILED"
    message: str = "Failed to send message"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    outcome: SendStatus | None = None
    """The outcome of the message, for the kinds that send it before they fail."""
    seconds: float | None = None
    """The duration of a hang or a delay (default: until the gateway stops), or the pause after each byte (0.2)."""


def parse(body: Mapping[str, Any]) -> Misbehaviour:
    """Return the misbehaviour given by a control call. Raises an error if it is invalid."""
    if body.get("kind") not in MISBEHAVIOUR_KINDS or not set(body) <= set(Misbehaviour.__dataclass_fields__):
        raise responses.PretendGatewayError(400, "VALIDATION_ERROR", f"kind is one of {', '.join(MISBEHAVIOUR_KINDS)}")
    return Misbehaviour(**cast("dict[str, Any]", body))


class MisbehaviourQueue:
    """The pending misbehaviours. A call uses up the first one that matches it."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._lock = threading.Lock()
        self._waiting: list[Misbehaviour] = []

    def enqueue(self, misbehaviour: Misbehaviour) -> None:
        with self._lock:
            self._waiting.append(misbehaviour)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take_matching(self, call: str) -> Misbehaviour | None:
        with self._lock:
            for index, waiting in enumerate(self._waiting):
                if waiting.call not in ("*", call):
                    continue
                if waiting.times is not None and waiting.times <= 1:
                    del self._waiting[index]
                elif waiting.times is not None:
                    self._waiting[index] = replace(waiting, times=waiting.times - 1)
                return waiting
        return None

    async def sleep(self, seconds: float | None) -> None:
        """Wait, but not longer than the gateway runs."""
        try:
            await asyncio.wait_for(self.stopping.wait(), MAX_PAUSE_SECONDS if seconds is None else seconds)
        except TimeoutError:
            return


def forced_outcome(request: Request) -> SendStatus | None:
    """Return the outcome that was set for a send."""
    return request.scope.get("outcome")


class MisbehaviourMiddleware:
    """The middleware that counts each call and applies a pending misbehaviour."""

    def __init__(
        self, app: ASGIApp, call: str, memory: GatewayState, plan: MisbehaviourQueue, connections: OpenConnections
    ) -> None:
        self.app = app
        self.call = call
        self.memory = memory
        self.plan = plan
        self.connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.memory.count_call(self.call)
        wanted = self.plan.take_matching(self.call)
        if wanted is None:
            await self.app(scope, receive, send)
        elif wanted.kind == "answer":
            envelope = {"success": False, "error": {"code": wanted.code, "message": wanted.message}}
            await JSONResponse(envelope, wanted.status, dict(wanted.headers))(scope, receive, send)
        elif wanted.kind in ("queued", "failed"):
            await self.app(dict(scope) | {"outcome": wanted.kind}, receive, send)
        elif wanted.kind in ("hang", "reset"):
            await self._hang_or_reset(wanted, scope, receive)
        else:
            await self._answer_badly(wanted, scope, receive, send)

    async def _hang_or_reset(self, wanted: Misbehaviour, scope: Scope, receive: Receive) -> None:
        if wanted.kind in ("hang", "hang_after"):
            await self.plan.sleep(wanted.seconds)
        await self._reset(scope, receive)

    async def _reset(self, scope: Scope, receive: Receive) -> None:
        self.connections.reset(scope)
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _answer_badly(self, wanted: Misbehaviour, scope: Scope, receive: Receive, send: Send) -> None:
        answered: list[Message] = []

        async def keep(message: Message) -> None:
            answered.append(message)

        await self.app(dict(scope) | {"outcome": wanted.outcome}, receive, keep)
        if wanted.kind in ("hang_after", "reset_after"):
            await self._hang_or_reset(wanted, scope, receive)
        elif wanted.kind == "slow":
            await self.plan.sleep(wanted.seconds)
            for message in answered:
                await send(message)
        elif wanted.kind == "garbage":
            await Response("<html>Bad gateway \u2014 try again</html>", media_type="text/html")(scope, receive, send)
        elif wanted.kind == "cut":
            await send(answered[0])
            await send({"type": "http.response.body", "body": answered[1]["body"][:5], "more_body": True})
            await self._reset(scope, receive)
        else:
            for byte in _encode_response(answered):
                self.connections.write_raw(scope, bytes([byte]))
                await self.plan.sleep(0.2 if wanted.seconds is None else wanted.seconds)
            await self._reset(scope, receive)


def _encode_response(answered: list[Message]) -> bytes:
    start, *rest = answered
    lines = [b"HTTP/1.1 %d Answered" % start["status"], *(b"%s: %s" % header for header in start["headers"])]
    return b"\r\n".join([*lines, b"", b""]) + b"".join(message.get("body", b"") for message in rest)
