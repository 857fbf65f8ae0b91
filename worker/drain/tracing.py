"""Traces the drain of a batch, from the stream entry that contains its traceparents to the XACK."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from ingest.queue import contract
from telemetry.spans import Span, Tracer
from worker.drain.stream import StreamEntry


class DrainTracing:
    """The spans of drains. There are none if there is no tracer, or for entries without traceparents."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer
        self._drain_spans: list[Span] = []

    @contextmanager
    def drain(self, entries: Sequence[StreamEntry]) -> Generator[None]:
        """Trace the block with one span for each entry, in the trace that ingest started."""
        if self._tracer is None:
            yield
            return
        for entry in entries:
            if traceparents := contract.traceparents(entry.fields):
                appended, *requests = traceparents
                self._drain_spans.append(self._tracer.start_span("drain", "consumer", parent=appended, links=requests))
        failure: str | None = "not_stored"
        try:
            yield
            failure = None
        finally:
            for span in self._drain_spans:
                span.end(failure=failure)
            self._drain_spans.clear()

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Trace a step with a span in the trace of the first entry, linked to the spans of the other entries."""
        if self._tracer is None or not self._drain_spans:
            yield
            return
        first, *others = (span.traceparent for span in self._drain_spans)
        span = self._tracer.start_span(name, "client", parent=first, links=others)
        failure: str | None = "failed"
        try:
            yield
            failure = None
        finally:
            span.end(failure=failure)

    def close(self) -> None:
        if self._tracer is not None:
            self._tracer.close()
