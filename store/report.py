"""What a replay found different: counts by kind, and a few examples of each."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

EXAMPLES = 3
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    """Such as `message timestamp` or `event parked to stored`."""
    where: str
    """Which message, chat, session or event."""
    was: object
    now: object


@dataclass(slots=True)
class Report:
    events: int = 0
    """How many were read."""
    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[dict[str, object]]] = field(default_factory=dict[str, list[dict[str, object]]])

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "Report":
        """What `document` made."""
        return cls(
            cast("int", document.get("events", 0)),
            Counter(cast("dict[str, int]", document.get("differences", {}))),
            cast("dict[str, list[dict[str, object]]]", document.get("examples", {})),
        )

    def copy(self) -> "Report":
        return Report(self.events, self.counts.copy(), {kind: list(some) for kind, some in self.examples.items()})

    def add(self, differences: Iterable[Difference]) -> None:
        for one in differences:
            self.counts[one.kind] += 1
            shown = self.examples.setdefault(one.kind, [])
            if len(shown) < EXAMPLES:
                shown.append({"where": one.where, "was": _short(one.was), "now": _short(one.now)})

    def document(self) -> dict[str, object]:
        """As JSON can hold it."""
        return {
            "events": self.events,
            "differences": dict(sorted(self.counts.items())),
            "examples": dict(sorted(self.examples.items())),
        }


def _short(value: object) -> object:
    return value if value is None or isinstance(value, int | bool) else str(value)[:_LONGEST]
