"""What the doctor says of one thing: a word that a monitor understands, a sentence, and what to do."""

from dataclasses import asdict, dataclass
from typing import Literal, Self, TypeAlias, cast, get_args

Severity: TypeAlias = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    """What was looked at: words with dots, the same in every version."""
    severity: Severity
    message: str
    """Without a secret, an address or a word of a message."""
    remedy: str | None = None
    """What to do; None where there is nothing to do."""

    def to_json(self) -> dict[str, object]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, object]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is no finding."""
        if document["severity"] not in get_args(Severity):
            raise ValueError("no severity")
        remedy = document.get("remedy")
        return cls(
            str(document["name"]),
            cast("Severity", document["severity"]),
            str(document["message"]),
            None if remedy is None else str(remedy),
        )


def ok(name: str, message: str) -> Finding:
    return Finding(name, "ok", message)


def warning(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "warning", message, remedy)


def broken(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "broken", message, remedy)


def by_threshold(  # noqa: PLR0913, PLR0917 - two bounds and what to say of them
    name: str, value: float, warning_above: float, broken_above: float, message: str, remedy: str
) -> Finding:
    """Fine up to the first bound, broken above the second."""
    if value <= warning_above:
        return ok(name, message)
    return (broken if value > broken_above else warning)(name, message, remedy)
