"""The worker's part of a trace: what became of a batch, from the stream entry that names its requests to the XACK."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from ingest.queue import contract
from telemetry.traces import Span, Traces
from worker.drain.stream import Entry


class Tracing:
    """Does nothing where nobody wants traces, and nothing for entries whose requests were not traced."""

    def __init__(self, traces: Traces | None) -> None:
        self._traces = traces
        self._open: list[Span] = []

    @contextmanager
    def drained(self, entries: Sequence[Entry]) -> Generator[None]:
        """While this lasts the entries are worked on: a span each, in the trace that ingest began."""
        if self._traces is None:
            yield
            return
        for entry in entries:
            if trace := contract.trace_of(entry.fields):
                appended, *requests = trace
                self._open.append(self._traces.start("drain", "consumer", parent=appended, links=requests))
        failure: str | None = "not stored"
        try:
            yield
            failure = None
        finally:
            for span in self._open:
                span.end(failure=failure)
            self._open.clear()

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """A part of the work on all of them together: in the first one's trace, linked to the others'."""
        if self._traces is None or not self._open:
            yield
            return
        first, *others = (span.context for span in self._open)
        span = self._traces.start(name, "client", parent=first, links=others)
        failure: str | None = "failed"
        try:
            yield
            failure = None
        finally:
            span.end(failure=failure)

    def close(self) -> None:
        if self._traces is not None:
            self._traces.close()
