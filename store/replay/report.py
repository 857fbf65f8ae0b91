"""What a replay found different: counts by kind, and a few examples of each."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from store.postgres.connections import Connection

MAX_EXAMPLES = 3
_MAX_EXAMPLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    """Such as `message timestamp` or `event parked to stored`."""
    location: str
    """Which message, chat, session or event."""
    before: object
    after: object
    discriminator: str = ""
    """Tells those apart that are of one kind and at one place."""

    @property
    def identity(self) -> int:
        """The same for the same difference, found again with further events; as a bigint."""
        said = f"{self.kind}\n{self.location}\n{self.discriminator}".encode(errors="replace")
        return int.from_bytes(hashlib.sha256(said).digest()[:8], signed=True)


@dataclass(slots=True)
class ReplayReport:
    event_count: int = 0
    """How many were read."""
    difference_counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[dict[str, object]]] = field(default_factory=dict[str, list[dict[str, object]]])

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "ReplayReport":
        """What `document` made."""
        return cls(
            cast("int", document.get("events", 0)),
            Counter(cast("dict[str, int]", document.get("differences", {}))),
            cast("dict[str, list[dict[str, object]]]", document.get("examples", {})),
        )

    def copy(self) -> "ReplayReport":
        return ReplayReport(
            self.event_count, self.difference_counts.copy(), {kind: list(some) for kind, some in self.examples.items()}
        )

    def add(self, differences: Iterable[Difference]) -> None:
        for one in differences:
            self.difference_counts[one.kind] += 1
            shown = self.examples.setdefault(one.kind, [])
            if len(shown) < MAX_EXAMPLES:
                shown.append({"where": one.location, "was": _truncate(one.before), "now": _truncate(one.after)})

    def to_json(self) -> dict[str, object]:
        """As JSON can hold it."""
        return {
            "events": self.event_count,
            "differences": dict(sorted(self.difference_counts.items())),
            "examples": dict(sorted(self.examples.items())),
        }


def create_table(connection: Connection) -> None:
    """Make room to remember what was counted, for the life of this connection."""
    connection.execute("CREATE TEMPORARY TABLE counted (identity bigint PRIMARY KEY)")


def not_yet_counted(connection: Connection, differences: Iterable[Difference]) -> list[Difference]:
    """Those that were not counted yet: a message is looked at with its first event, and again with all that join it."""
    distinct = {one.identity: one for one in differences}
    if not distinct:
        return []
    new = connection.execute(
        """
        INSERT INTO counted (identity)
        SELECT c.identity FROM unnest(%s::bigint[]) AS c (identity)
        ON CONFLICT DO NOTHING
        RETURNING identity
        """,
        [list(distinct)],
    )
    fresh = {identity for (identity,) in new}
    return [one for identity, one in distinct.items() if identity in fresh]


def _truncate(value: object) -> object:
    return value if value is None or isinstance(value, int | bool) else str(value)[:_MAX_EXAMPLE_LENGTH]
