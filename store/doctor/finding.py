"""Defines the result of a check: a severity for monitors, a message and a remedy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self, TypeAlias, cast, get_args

Severity: TypeAlias = Literal["ok", "info", "warning", "broken"]
"""From the best to the worst. "info" means that nothing is wrong, but something is still expected, such as the first
message.
"""

SEVERITIES: Sequence[Severity] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    """Dotted words that identify the check and never change."""
    severity: Severity
    message: str
    """Contains no secret, no address and no text of a message."""
    remedy: str | None = None
    """The next step, or None if there is none."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, object]) -> Self:
        """Return the finding in the document. Raises KeyError, TypeError or ValueError if it contains none."""
        if document["severity"] not in SEVERITIES:
            raise ValueError(f"unknown severity {document['severity']!r}")
        remedy = document.get("remedy")
        return cls(
            str(document["name"]),
            cast("Severity", document["severity"]),
            str(document["message"]),
            None if remedy is None else str(remedy),
        )


def ok(name: str, message: str) -> Finding:
    return Finding(name, "ok", message)


def info(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "info", message, remedy)


def warning(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "warning", message, remedy)


def broken(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "broken", message, remedy)


def by_threshold(  # noqa: PLR0913, PLR0917 - a value, two thresholds and the texts
    name: str, value: float, warning_above: float, broken_above: float, message: str, remedy: str
) -> Finding:
    """Return a finding that is ok up to the first threshold and broken above the second."""
    if value <= warning_above:
        return ok(name, message)
    return (broken if value > broken_above else warning)(name, message, remedy)
