"""Exports spans with the SDK of OpenTelemetry, as OTLP over HTTP from a background thread.

The SDK reads its own variables.
"""

import threading
from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry.spans import TRACEPARENT_PATTERN, AttributeValue, SpanKindName

_SPAN_KINDS: Mapping[SpanKindName, SpanKind] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}
_SHUTDOWN_SECONDS = 2.0


class OtlpTracer:
    """A Tracer (`telemetry/spans.py`) that exports spans over OTLP."""

    def __init__(self, service: str) -> None:
        resource = Resource.create({"service.name": service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("sak-history")

    def start_span(
        self,
        name: str,
        kind: SpanKindName,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> "OtlpSpan":
        parent_span = _parse_traceparent(parent) if parent else None
        context = trace.set_span_in_context(NonRecordingSpan(parent_span)) if parent_span else None
        span_links = [Link(linked) for linked in map(_parse_traceparent, links) if linked]
        span = self._tracer.start_span(name, context, _SPAN_KINDS[kind], attributes=attributes, links=span_links)
        return OtlpSpan(span)

    def close(self) -> None:
        # A collector that does not answer must not keep the process from ending.
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(_SHUTDOWN_SECONDS)


class OtlpSpan:
    """A Span (`telemetry/spans.py`) of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, attributes: Mapping[str, AttributeValue] | None = None, *, failure: str | None = None) -> None:
        if attributes:
            self._span.set_attributes(attributes)
        if failure is not None:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


def _parse_traceparent(text: str) -> SpanContext | None:
    """Return the context in a traceparent, or None if it is malformed, in which case the span is started without it."""
    if not TRACEPARENT_PATTERN.fullmatch(text):
        return None
    _, trace_id, span_id, flags = text.split("-")
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return context if context.is_valid else None
