"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    messages: int
    """The size of a backlog, and of a history."""
    rounds: int
    """How often runs alternate."""
    seconds: float
    """How long a short run lasts."""
    full: bool = False
    """Whether the parts that take minutes are measured as well."""

    @classmethod
    def usual(cls) -> "Plan":
        return cls(messages=100_000, rounds=3, seconds=4.0)

    @classmethod
    def quick(cls) -> "Plan":
        """To see that everything works; its figures say little."""
        return cls(messages=2_000, rounds=1, seconds=1.0)

    @classmethod
    def whole(cls) -> "Plan":
        return cls(messages=200_000, rounds=3, seconds=6.0, full=True)
