"""The size of a benchmark run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchmarkScale:
    message_count: int
    """The size of a backlog, and of a history."""
    round_count: int
    """How often runs alternate."""
    run_seconds: float
    """How long a short run lasts."""
    full: bool = False
    """True to measure the parts that take minutes, too."""

    @classmethod
    def default(cls) -> "BenchmarkScale":
        return cls(message_count=100_000, round_count=3, run_seconds=4.0)

    @classmethod
    def quick(cls) -> "BenchmarkScale":
        """To see that everything works; its figures say little."""
        return cls(message_count=2_000, round_count=1, run_seconds=1.0)

    @classmethod
    def complete(cls) -> "BenchmarkScale":
        return cls(message_count=200_000, round_count=3, run_seconds=6.0, full=True)
