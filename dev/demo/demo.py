"""`python -m dev.demo.demo`: a pretend gateway whose people keep writing, and answer when they are written to."""

import heapq
import itertools
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Self

from dev.demo.chat_generator import Chatter, Event
from dev.gateway import message_reports
from dev.gateway.server import Gateway
from dev.gateway.state import Sent

EVENTS = ("message.received", "message.sent", "status.change")
BURST_PAUSE = 0.02
KNOCK_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    url: str
    """Where the webhooks go."""
    secret: str = field(repr=False)
    port: int
    seed: str | None
    """Makes the chatter repeatable; without it, the talk is new at each start."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Raises ValueError with a sentence naming what is missing."""
        secret = environ.get("WEBHOOK_SECRETS", "").split(",")[0].strip()
        if not secret:
            raise ValueError("WEBHOOK_SECRETS is not set: the demo signs its webhooks with the first of them")
        port = environ.get("GATEWAY_PORT", "3002")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError("GATEWAY_PORT must be a port number")
        return cls(
            url=environ.get("INGEST_URL") or "http://127.0.0.1:3000/whatsapp-webhook",
            secret=secret,
            port=int(port),
            seed=environ.get("DEMO_SEED") or None,
        )


class Demo:
    """The talk: what people write by themselves, and their answers when they are due."""

    def __init__(self, gateway: Gateway, seed: str | None) -> None:
        self._gateway = gateway
        self._stop = threading.Event()
        self._sent: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        gateway.memory.listeners.append(self._sent.put)
        session_id = gateway.account.session_id
        day = int(time.time()) // 86400 * 86400
        # The past is the same all day, so that a second start of the demo repeats it as a reconnect would.
        self._past = Chatter(f"{seed or 'demo'} {day}", session_id).history(day)
        self._present = Chatter(f"{seed or time.time_ns()} live", session_id)

    def run(self) -> None:
        """Talks until stopped."""
        self._knock()
        for event in self._past:
            self._post(event)
            if self._stop.wait(BURST_PAUSE):
                return
        self._talk()

    def stop(self) -> None:
        self._stop.set()

    def _knock(self) -> None:
        """Waits for somebody to listen, since nobody repeats a webhook that found no listener."""
        while not any(result.status for result in self._post(self._past[0])):
            if self._stop.wait(KNOCK_PAUSE):
                return

    def _talk(self) -> None:
        turns = self._present.live(_clock())
        due: list[tuple[float, int, Event]] = []
        order = itertools.count()
        following = next(turns)
        heapq.heappush(due, (time.monotonic() + following.after, next(order), following.event))
        own = due[0][1]
        while True:
            while not self._sent.empty():
                reply = self._present.reply(self._sent.get().phone or "", int(time.time()))
                heapq.heappush(due, (time.monotonic() + reply.after, next(order), reply.event))
            if self._stop.wait(min(0.2, max(0.0, due[0][0] - time.monotonic()))):
                return
            if due[0][0] > time.monotonic():
                continue
            _, number, event = heapq.heappop(due)
            self._post(event)
            if number == own:
                following, own = next(turns), next(order)
                heapq.heappush(due, (time.monotonic() + following.after, own, following.event))

    def _post(self, event: Event) -> list[message_reports.delivery.Result]:
        return message_reports.emit(self._gateway.memory, event)


def _clock() -> Iterator[int]:
    while True:
        yield int(time.time())


def main(environ: Mapping[str, str] = os.environ) -> int:
    try:
        settings = Settings.from_environ(environ)
    except ValueError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    gateway = Gateway(settings.port, reports=True)
    try:
        gateway.start()
    except OSError as error:
        print(
            f"demo: port {settings.port} cannot be used ({error.strerror}); GATEWAY_PORT names another", file=sys.stderr
        )
        return 1
    gateway.memory.register(settings.url, EVENTS, settings.secret)
    demo = Demo(gateway, settings.seed)
    # A daemon: a webhook that hangs does not delay the end.
    threading.Thread(target=demo.run, name="demo", daemon=True).start()
    print(f"demo: pretend SAK at {gateway.base_url}, writing to {settings.url}", flush=True)
    stopped.wait()
    demo.stop()
    gateway.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
