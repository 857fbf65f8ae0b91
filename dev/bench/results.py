"""What was measured: samples of alternating runs, what they are compared with, and whether that is good enough."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Sense: TypeAlias = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Samples:
    """The same figure from repeated runs."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, *values: float) -> "Samples":
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure, or with a reference its ratio to that, has to be."""

    sense: Sense
    value: float

    def met(self, value: float) -> bool:
        return value >= self.value if self.sense == "at least" else value <= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    name: str
    unit: str
    ours: Samples
    reference: str | None = None
    theirs: Samples | None = None
    target: Target | None = None
    excuse: str | None = None
    """Why the target is missed, where a profile told."""

    @property
    def ratio(self) -> float | None:
        """Ours to theirs, between medians: runs alternate, so that both had the same weather."""
        if self.theirs is None or not self.theirs.median:
            return None
        return self.ours.median / self.theirs.median

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.target.met(self.ours.median if self.ratio is None else self.ratio)


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """Sentences: what was checked, and what belongs to the figures."""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the sorted values lies."""
    return values[min(len(values) - 1, int(share * len(values)))]
