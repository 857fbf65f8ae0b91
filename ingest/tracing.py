"""Ingest's part of a trace: a span per webhook from its arrival to its answer, and one for keeping their batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.queue import contract
from telemetry.traces import Span, Traces


@dataclass(frozen=True, slots=True)
class Append:
    """A batch on its way to where it is kept. It is in its first request's trace, and linked to the others'."""

    requests: Sequence[Span] = ()
    span: Span | None = None
    carried: tuple[str, ...] = ()
    """What goes into the batch for whoever drains it: its own place, then its requests'."""

    def end(self, batch: contract.Batch, path: str | None) -> None:
        """It was kept, in the stream or in the spool, or (None) nowhere."""
        if self.span is None:
            return
        failure = "kept nowhere" if path is None else None
        name = f"{batch.writer}:{batch.number}"
        self.span.end({"sak.batch": name, "sak.events": len(batch.bodies), "sak.path": path or "none"}, failure=failure)
        for index, request in enumerate(self.requests):
            request.end({"sak.event": f"{name}:{index}", "sak.batch": name}, failure=failure)


NOTHING = Append()


def begin(traces: Traces | None, requests: Sequence[Span]) -> Append:
    """The append of these requests' batch; nothing where nobody wants traces."""
    if traces is None or not requests:
        return NOTHING
    contexts = tuple(request.context for request in requests)
    span = traces.start("XADD", "producer", parent=contexts[0], links=contexts[1:])
    return Append(requests, span, (span.context, *contexts))
