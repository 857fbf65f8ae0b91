"""Defines spans, the tracer that starts them, and the form in which a span's identity is passed on."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

SpanKindName: TypeAlias = Literal["server", "producer", "consumer", "client"]
AttributeValue: TypeAlias = "str | int | float | list[str]"

TRACEPARENT_PATTERN = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""The identity of a span as passed between processes: https://www.w3.org/TR/trace-context/"""


class Span(Protocol):
    """One timed piece of work. Attributes are identities and counts, as in logs."""

    @property
    def traceparent(self) -> str:
        """The identity to pass on to the next process. It matches TRACEPARENT_PATTERN."""
        ...

    def end(self, attributes: Mapping[str, AttributeValue] | None = None, *, failure: str | None = None) -> None:
        """End the span. `failure` is a stable word for the reason why the work failed."""
        ...


class Tracer(Protocol):
    """An object that starts spans and exports them in the background. Only `close` waits for the collector."""

    def start_span(
        self,
        name: str,
        kind: SpanKindName,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> Span:
        """Return a span that starts now, in its parent's trace or in a new one.

        `parent` and `links` are traceparents.
        """
        ...

    def close(self) -> None:
        """Export the remaining spans within two seconds."""
        ...
