"""Defines the size of a benchmark run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchmarkScale:
    message_count: int
    """The size of a backlog, and of a history."""
    round_count: int
    """The number of alternating runs."""
    run_seconds: float
    """The duration of a short run in seconds."""
    full: bool = False
    """True to include the parts that take minutes."""

    @classmethod
    def default(cls) -> "BenchmarkScale":
        return cls(message_count=100_000, round_count=3, run_seconds=4.0)

    @classmethod
    def quick(cls) -> "BenchmarkScale":
        """Return a small size, which checks that everything works. Its figures mean little."""
        return cls(message_count=2_000, round_count=1, run_seconds=1.0)

    @classmethod
    def complete(cls) -> "BenchmarkScale":
        return cls(message_count=200_000, round_count=3, run_seconds=6.0, full=True)
