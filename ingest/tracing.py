"""Traces ingest: one span per webhook, from arrival to answer, and one for storing their batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.queue import contract
from telemetry.spans import Span, Tracer


@dataclass(frozen=True, slots=True)
class AppendSpan:
    """The span of storing a batch, in the trace of its first request and linked to the spans of its other requests."""

    request_spans: Sequence[Span] = ()
    span: Span | None = None
    traceparents: tuple[str, ...] = ()
    """The traceparents that the batch contains: its own, followed by those of its requests."""

    def end(self, batch: contract.RawBatch, via: str | None) -> None:
        """End the spans. `via` is the place where the batch was stored, or None if it was not."""
        if self.span is None:
            return
        name, failure = batch.name, "not_stored" if via is None else None
        self.span.end({"sak.batch": name, "sak.events": len(batch.bodies), "sak.path": via or "none"}, failure=failure)
        for index, request in enumerate(self.request_spans):
            request.end({"sak.event": f"{name}:{index}", "sak.batch": name}, failure=failure)


def start_append(tracer: Tracer | None, request_spans: Sequence[Span]) -> AppendSpan:
    """Start the span of storing these requests' batch. Without tracing, return a span that does nothing."""
    if tracer is None or not request_spans:
        return AppendSpan()
    contexts = tuple(request.traceparent for request in request_spans)
    span = tracer.start_span("XADD", "producer", parent=contexts[0], links=contexts[1:])
    return AppendSpan(request_spans, span, (span.traceparent, *contexts))
