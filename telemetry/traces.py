"""Traces by OpenTelemetry, where its variables ask for them; without them nothing of it is even imported.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from telemetry.logs import TelemetrySettingsError

SpanKindName: TypeAlias = Literal["server", "producer", "consumer", "client"]
AttributeValue: TypeAlias = "str | int | float | list[str]"

TRACEPARENT_PATTERN = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""A place in a trace as it travels: https://www.w3.org/TR/trace-context/"""


class Span(Protocol):
    """Something that took time. Its attributes are identities and counts, as in the log."""

    @property
    def traceparent(self) -> str:
        """What whoever goes on is told; matches CONTEXT."""
        ...

    def end(self, attributes: Mapping[str, AttributeValue] | None = None, *, failure: str | None = None) -> None:
        """It is over; `failure` is a stable word for why it came to nothing."""
        ...


class Tracer(Protocol):
    """Where spans go to; giving one never waits for anybody."""

    def start_span(
        self,
        name: str,
        kind: SpanKindName,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> Span:
        """A span that began now, in its parent's trace or in one of its own."""
        ...

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        ...


def configure(process: str, environ: Mapping[str, str]) -> Tracer | None:
    """None where nobody asked for traces; raises JournalError where they cannot be had."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or exporter == "none" or not (exporter or endpoint):
        return None
    if exporter not in {"", "otlp"}:
        raise TelemetrySettingsError("OTEL_TRACES_EXPORTER must be otlp or none: traces go out by OTLP over HTTP.")
    try:
        from telemetry import otlp  # noqa: PLC0415 - an optional dependency, and 0.2 s to import
    except ImportError as error:
        raise TelemetrySettingsError(
            "OTEL_… asks for traces, and OpenTelemetry is not installed: "
            "pip install --require-hashes -r requirements-tracing.lock"
        ) from error
    return otlp.OtlpTracer(environ.get("OTEL_SERVICE_NAME") or f"sak-{process}")
