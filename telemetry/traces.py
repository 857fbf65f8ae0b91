"""Starts tracing if OpenTelemetry's variables ask for it. Otherwise OpenTelemetry is not imported.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Mapping

from telemetry.errors import SettingsError
from telemetry.spans import Tracer


def configure(process: str, environ: Mapping[str, str]) -> Tracer | None:
    """Return the tracer of the process, or None if the environment asks for none.

    Raises SettingsError if tracing cannot be started.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or exporter == "none" or not (exporter or endpoint):
        return None
    if exporter not in {"", "otlp"}:
        raise SettingsError("OTEL_TRACES_EXPORTER must be otlp or none: traces are exported by OTLP over HTTP.")
    try:
        from telemetry import otlp  # noqa: PLC0415 - an optional dependency, and 0.2 s to import
    except ImportError as error:
        raise SettingsError(
            "The OTEL_… variables ask for traces, and OpenTelemetry is not installed: "
            "pip install --require-hashes -r requirements-tracing.lock"
        ) from error
    return otlp.OtlpTracer(environ.get("OTEL_SERVICE_NAME") or f"sak-{process}")
