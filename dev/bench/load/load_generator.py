"""Runs a load in its own process: `python -m dev.bench.load.load_generator SPEC`, with a LoadSpec as JSON.

Requests are built and signed in advance. Latencies are corrected for coordinated omission: at a given rate, they are
measured from the time when a request was due; at full speed, a late response also counts for the requests that it
delayed.
"""

import asyncio
import itertools
import json
import resource
import statistics
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from typing import cast

import uvloop

from dev.bench.load import sample_webhooks
from dev.bench.load.load import LoadResult, LoadSpec
from dev.bench.results.results import quantile

PREPARED_REQUESTS = 1_000_000
"""The number of requests that are built in advance, in some 600 MB. Longer runs build the others while running."""
LEAST_SLEEP_SECONDS = 0.001
"""The shortest sleep in seconds. uvloop rounds to milliseconds, so with a shorter one the generator would occupy a
whole core.
"""
DRAIN_SECONDS = 15.0


class LoadRun:
    """The state shared by all connections."""

    def __init__(self, load: LoadSpec) -> None:
        self.load = load
        self.senders = sample_webhooks.SampleSenders(load.senders, load.chats)
        self.sent_count = 0
        self.statuses: Counter[str] = Counter()
        self.latencies = array("d")
        self.second_ends: list[int] = []
        """The number of latencies until the end of each second."""
        self._second_ends_at = time.perf_counter() + 1.0
        self.idle_connections: deque[LoadConnection] = deque()
        self.due_times: deque[float] = deque()
        self.deadline = float("inf")
        self.open_connections = 0
        self.done = asyncio.get_running_loop().create_future()
        expected = load.count or int((load.rate or 30_000) * (load.seconds or 0))
        prepared = min(PREPARED_REQUESTS, expected)
        self._requests: Iterator[bytes] = itertools.chain(
            [self._build_request(number) for number in range(prepared)],
            map(self._build_request, itertools.count(prepared)),
        )

    def _build_request(self, number: int) -> bytes:
        return sample_webhooks.encode_request(self.senders.body(number), self.load.path)

    def wants_more(self) -> bool:
        if self.load.count is not None and self.sent_count >= self.load.count:
            return False
        return time.perf_counter() < self.deadline

    def next_request(self) -> bytes:
        self.sent_count += 1
        return next(self._requests)

    def record_response(self, status: str, due_at: float) -> None:
        now = time.perf_counter()
        self.statuses[status] += 1
        self.latencies.append(now - due_at)
        if now > self._second_ends_at:
            self.second_ends.append(len(self.latencies))
            self._second_ends_at = now + 1.0

    def record_closed(self) -> None:
        self.open_connections -= 1
        if not self.open_connections and not self.done.done():
            self.done.set_result(None)


class LoadConnection(asyncio.Protocol):
    """A connection that sends a request after each response. If the server closes it, another one replaces it."""

    def __init__(self, run: LoadRun) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        marked = self._buffer.find(b"ength: ", 0, head)
        size = int(self._buffer[marked + 7 : self._buffer.find(b"\r", marked)]) if marked >= 0 else 0
        if len(self._buffer) < head + 4 + size:
            return
        assert self._since is not None
        self._run.record_response(self._buffer[9:12].decode(), self._since)
        self._since = None
        closes = b"onnection: close" in self._buffer[:head]
        self._buffer = b""
        if not closes:
            self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        if self._since is not None:
            self._run.record_response("lost", self._since)
        if self._run.wants_more():
            asyncio.ensure_future(_connect(self._run))  # noqa: RUF006 - the run counts it
        else:
            self._run.record_closed()

    def send_request(self, due_at: float) -> None:
        assert self._transport is not None
        self._since = due_at
        self._transport.write(self._run.next_request())

    def _send_next(self) -> None:
        run = self._run
        if run.load.rate is not None:
            if run.due_times:
                self.send_request(run.due_times.popleft())
            else:
                run.idle_connections.append(self)
        elif run.wants_more():
            self.send_request(time.perf_counter())
        elif self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _connect(run: LoadRun) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.create_connection(lambda: LoadConnection(run), "127.0.0.1", run.load.port)
    except OSError:
        run.statuses["refused"] += 1
        run.record_closed()


async def _send_at_rate(run: LoadRun) -> None:
    """Give each due request to a free connection. The time that it waits for one is part of its latency."""
    rate, seconds, start = run.load.rate, run.load.seconds, time.perf_counter()
    assert rate is not None
    assert seconds is not None
    total, number = round(rate * seconds), 0
    while run.open_connections and (
        number < total or run.due_times or len(run.idle_connections) < run.open_connections
    ):
        now = time.perf_counter()
        if now > run.deadline + DRAIN_SECONDS:
            break
        while number < total and (moment := start + number / rate) <= now:
            run.due_times.append(moment)
            number += 1
        while run.due_times and run.idle_connections:
            run.idle_connections.popleft().send_request(run.due_times.popleft())
        next_due = start + number / rate - time.perf_counter() if number < total else 0.0
        await asyncio.sleep(max(LEAST_SLEEP_SECONDS, next_due))
    run.due_times.clear()  # nothing is sent any more
    limit = time.perf_counter() + DRAIN_SECONDS
    while run.open_connections > len(run.idle_connections) and time.perf_counter() < limit:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    for connection in run.idle_connections:
        connection.close()


async def run_load(load: LoadSpec) -> LoadResult:
    """Apply the load from this process."""
    run = LoadRun(load)
    begun, started = time.perf_counter(), time.time()
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    if load.seconds is not None:
        run.deadline = begun + load.seconds
    run.open_connections = load.connections
    await asyncio.gather(*(_connect(run) for _ in range(load.connections)))
    if load.rate is not None:
        await _send_at_rate(run)
    else:
        limit = None if load.seconds is None else load.seconds + DRAIN_SECONDS
        await asyncio.wait([run.done], timeout=limit)
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    ordered = sorted(run.latencies if load.rate is not None else corrected_latencies(run.latencies))
    return LoadResult(
        acknowledged=run.statuses.pop("200", 0),
        sent=run.sent_count,
        other_statuses=dict(run.statuses),
        started_at=started,
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime,
        latency_ms={
            name: 1000 * quantile(ordered, share) if ordered else 0.0
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))
        }
        | {"worst_p99": 1000 * _worst_p99(run.latencies, run.second_ends)},
    )


def _worst_p99(latencies: "array[float]", second_ends: list[int]) -> float:
    """Return the p99 of the second in which it was the greatest."""
    ends = [*second_ends, len(latencies)]
    seconds = [sorted(latencies[begin:end]) for begin, end in itertools.pairwise([0, *ends]) if end > begin]
    return max((quantile(second, 0.99) for second in seconds), default=0.0)


def corrected_latencies(latencies: "array[float]") -> list[float]:
    """Return the latencies, and those of the requests that slow responses delayed."""
    if not latencies:
        return []
    usual = statistics.median(latencies)
    found = list(latencies)
    for latency in latencies:
        missed = latency - usual
        while missed >= usual:
            found.append(missed)
            missed -= usual
    return found


def main(spec: str) -> None:
    print(json.dumps(uvloop.run(run_load(LoadSpec(**json.loads(spec)))).to_json()))


if __name__ == "__main__":
    main(sys.argv[1])
