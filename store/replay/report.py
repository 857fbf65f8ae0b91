"""Builds the report of a replay: the number of differences by kind, with a few examples of each."""

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
    """For example `message timestamp` or `event parked to stored`."""
    location: str
    """The message, chat, session or event."""
    before: object
    after: object
    discriminator: str = ""
    """A text that distinguishes differences of the same kind at the same location."""

    @property
    def identity(self) -> int:
        """A hash as a bigint, which stays the same if the difference is found again with further events."""
        text = f"{self.kind}\n{self.location}\n{self.discriminator}".encode(errors="replace")
        return int.from_bytes(hashlib.sha256(text).digest()[:8], signed=True)


@dataclass(slots=True)
class ReplayReport:
    event_count: int = 0
    """The number of events read."""
    difference_counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[dict[str, object]]] = field(default_factory=dict[str, list[dict[str, object]]])

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "ReplayReport":
        """Return the report from the object that `to_json` returned."""
        return cls(
            cast("int", document.get("events", 0)),
            Counter(cast("dict[str, int]", document.get("differences", {}))),
            cast("dict[str, list[dict[str, object]]]", document.get("examples", {})),
        )

    def add(self, differences: Iterable[Difference]) -> None:
        for one in differences:
            self.difference_counts[one.kind] += 1
            examples = self.examples.setdefault(one.kind, [])
            if len(examples) < MAX_EXAMPLES:
                examples.append({"where": one.location, "was": _truncate(one.before), "now": _truncate(one.after)})

    def to_json(self) -> dict[str, object]:
        return {
            "events": self.event_count,
            "differences": dict(sorted(self.difference_counts.items())),
            "examples": dict(sorted(self.examples.items())),
        }


def create_table(connection: Connection) -> None:
    """Create a temporary table for the differences counted so far."""
    connection.execute("CREATE TEMPORARY TABLE counted_differences (identity bigint PRIMARY KEY)")


def not_yet_counted(connection: Connection, differences: Iterable[Difference]) -> list[Difference]:
    """Return the differences that were not counted yet.

    A message may be compared several times, because another comparison follows each event that joins it.
    """
    distinct = {one.identity: one for one in differences}
    if not distinct:
        return []
    new = connection.execute(
        """
        INSERT INTO counted_differences (identity)
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
