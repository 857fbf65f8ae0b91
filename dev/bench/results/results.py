"""Defines results: samples of alternating runs, their reference and their target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Comparison: TypeAlias = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Samples:
    """Values of the same figure from repeated runs."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, *values: float) -> "Samples":
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def minimum(self) -> float:
        return min(self.values)

    @property
    def maximum(self) -> float:
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit of a figure or, if there is a reference, of its ratio."""

    comparison: Comparison
    value: float

    def is_met(self, value: float) -> bool:
        return value >= self.value if self.comparison == "at least" else value <= self.value


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One line of a table."""

    name: str
    unit: str
    ours: Samples
    reference_name: str | None = None
    reference_samples: Samples | None = None
    target: Limit | None = None
    miss_reason: str | None = None
    """The reason for a missed target, from a profile."""

    @property
    def ratio(self) -> float | None:
        """The ratio of our median to that of the reference.

        Runs of the two alternate, so that both have the same conditions.
        """
        if self.reference_samples is None or not self.reference_samples.median:
            return None
        return self.ours.median / self.reference_samples.median

    @property
    def is_target_met(self) -> bool | None:
        """True if the target is met, or None if there is no target."""
        if self.target is None:
            return None
        return self.target.is_met(self.ours.median if self.ratio is None else self.ratio)


@dataclass(frozen=True, slots=True)
class ResultTable:
    title: str
    rows: tuple[ResultRow, ...]
    notes: tuple[str, ...] = ()
    """Sentences that state what was checked and what the figures include."""


def quantile(values: Sequence[float], fraction: float) -> float:
    """Return the value below which this share of the sorted values lies."""
    return values[min(len(values) - 1, int(fraction * len(values)))]
