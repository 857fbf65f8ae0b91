"""Runs ordinary clients of a stack that is under attack, and measures the memory of its processes."""

import functools
import itertools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

import requests

from dev.bench import process_usage
from tests.support.processes.running_system import RunningSystem, message_webhook, signed_headers

PAUSE_SECONDS = 0.02
SAMPLE_SECONDS = 0.01
NUMBERS = itertools.count(1)


@dataclass
class Requests:
    """The results of one client."""

    seconds: list[float] = field(default_factory=list[float])
    failures: list[str] = field(default_factory=list[str])
    """Statuses other than 200, and the names of exceptions."""

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[math.ceil(0.99 * len(self.seconds)) - 1]


class OrdinaryClients:
    """Clients that post webhooks over persistent and new connections, and read chats, until the block ends."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        self._over = threading.Event()
        self.kept, self.new, self.reads = Requests(), Requests(), Requests()
        pids = {name: system.stack.pid_of(name) for name in ("ingest", "api")}
        self.before = {name: process_usage.resident_bytes(pid) for name, pid in pids.items()}
        self.peak = dict(self.before)
        self._pids = pids
        self._threads = [
            threading.Thread(target=self._post, args=[self.kept], kwargs={"keep": True}),
            threading.Thread(target=self._post, args=[self.new], kwargs={"keep": False}),
            threading.Thread(target=self._read),
            threading.Thread(target=self._sample),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def growth(self) -> dict[str, float]:
        """The peak resident memory of each process as a multiple of its value before the attack."""
        return {name: round(peak / self.before[name], 2) for name, peak in self.peak.items()}

    def __str__(self) -> str:
        names = {"kept": self.kept, "new": self.new, "reads": self.reads}
        results = [
            f"{name}: {len(each.seconds)} requests, p99 {each.p99 * 1000:.0f} ms, failures {each.failures[:5]}"
            for name, each in names.items()
        ]
        return "; ".join([*results, f"memory before {self.before}, growth {self.growth}"])

    def _post(self, seen: Requests, *, keep: bool) -> None:
        with requests.Session() as session:
            while not self._over.wait(PAUSE_SECONDS):
                body = message_webhook("919811000001", next(NUMBERS), "hello")
                ask = functools.partial(session.post, data=body, headers=signed_headers(body))
                self._measure(ask, self._system.stack.webhook_url, seen)
                if not keep:
                    session.close()

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._system.stack.token}"}
        while not self._over.wait(PAUSE_SECONDS):
            ask = functools.partial(requests.get, headers=headers)
            self._measure(ask, self._system.stack.api_url + "/api/chats", self.reads)

    @staticmethod
    def _measure(ask: Callable[..., requests.Response], url: str, seen: Requests) -> None:
        begun = time.perf_counter()
        try:
            status = ask(url, timeout=20).status_code
        except requests.RequestException as error:
            seen.failures.append(type(error).__name__)
        else:
            if status != HTTPStatus.OK:
                seen.failures.append(str(status))
        seen.seconds.append(time.perf_counter() - begun)

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            for name, pid in self._pids.items():
                self.peak[name] = max(self.peak[name], process_usage.resident_bytes(pid))
