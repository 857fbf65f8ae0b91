"""Ingest's part of a trace: a span per webhook from its arrival to its answer, and one for keeping their batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.queue import contract
from telemetry.spans import Span, Tracer


@dataclass(frozen=True, slots=True)
class AppendSpan:
    """A batch on its way to where it is kept. It is in its first request's trace, and linked to the others'."""

    request_spans: Sequence[Span] = ()
    span: Span | None = None
    traceparents: tuple[str, ...] = ()
    """What goes into the batch for whoever drains it: its own place, then its requests'."""

    def end(self, batch: contract.RawBatch, via: str | None) -> None:
        """It was kept, in the stream or in the spool, or (None) nowhere."""
        if self.span is None:
            return
        name, failure = batch.name, "not_stored" if via is None else None
        self.span.end({"sak.batch": name, "sak.events": len(batch.bodies), "sak.path": via or "none"}, failure=failure)
        for index, request in enumerate(self.request_spans):
            request.end({"sak.event": f"{name}:{index}", "sak.batch": name}, failure=failure)


NO_SPAN = AppendSpan()


def start_append(tracer: Tracer | None, request_spans: Sequence[Span]) -> AppendSpan:
    """The append of these requests' batch; nothing where nobody wants traces."""
    if tracer is None or not request_spans:
        return NO_SPAN
    contexts = tuple(request.traceparent for request in request_spans)
    span = tracer.start_span("XADD", "producer", parent=contexts[0], links=contexts[1:])
    return AppendSpan(request_spans, span, (span.traceparent, *contexts))
