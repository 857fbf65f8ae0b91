"""Runs clients that post webhooks while something else happens."""

import http.client
import itertools
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.processes.ingest_process import WEBHOOK_PATH, IngestProcess, sign
from tests.support.waiting import wait_until


@dataclass
class WebhookLoad:
    """Clients that post over several connections until the block ends. Each event is different."""

    ingest: IngestProcess
    clients: int = 8
    acknowledged: list[bytes] = field(default_factory=list[bytes])
    failures: list[str] = field(default_factory=list[str])
    """Statuses other than 200, and the names of exceptions."""
    latencies: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._post) for _ in range(self.clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, events: int) -> None:
        """Wait until this many more events are acknowledged."""
        wanted = len(self.acknowledged) + events
        wait_until(lambda: len(self.acknowledged) >= wanted)

    def _post(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.ingest.port, timeout=10)
        while not self._over.is_set():
            body = b'{"event":"message.received","messageId":"%d"}' % next(self._numbers)
            begun = time.perf_counter()
            try:
                connection.request("POST", WEBHOOK_PATH, body, {"X-Webhook-Signature": sign(body)})
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(type(error).__name__)
                connection.close()
                continue
            self.latencies.append(time.perf_counter() - begun)
            if response.status == 200:
                self.acknowledged.append(body)
            else:
                self.failures.append(str(response.status))
            time.sleep(0.002)
        connection.close()
