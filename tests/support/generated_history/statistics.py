"""Counts the contents of the drawn histories, so that the coverage of a passing test is visible."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

import pytest

from tests.support.generated_history.histories import DrawnHistory
from worker.senders.sak import parser


@dataclass(slots=True)
class DrawStatistics:
    kinds: Counter[str] = field(default_factory=Counter[str])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    histories: int = 0
    copies: int = 0
    transactions: int = 0
    started: float = field(default_factory=monotonic)

    def count(self, history: DrawnHistory) -> None:
        self.histories += 1
        for event in history.events:
            self.kinds[event.kind] += 1
            self.copies += len(event.copies)
            self.outcomes[parser.parse(event.copies[0].body).outcome.kind] += 1
        self.transactions += sum(map(len, history.two_deliveries()))

    def print_summary(self, capfd: pytest.CaptureFixture[str], title: str) -> None:
        """Print to the terminal itself. Parallel workers of pytest have only its standard error."""
        events = self.kinds.total() or 1
        told = (
            f"{title}: {self.histories} histories, {events} events in {self.copies} copies, told twice in"
            f" {self.transactions} transactions, {monotonic() - self.started:.0f} s"
        )
        shares = (
            "  " + ", ".join(f"{name} {100 * share / events:.1f} %" for name, share in counted.most_common())
            for counted in (self.kinds, self.outcomes)
        )
        with capfd.disabled():
            print("", told, *shares, sep="\n", file=sys.stderr, flush=True)
