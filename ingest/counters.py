"""What this process has done since it started, as plain numbers: the hot path only adds to them."""

from dataclasses import dataclass, field

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the classes in which batch sizes are counted."""


@dataclass(slots=True)
class Counts:
    received: int = 0
    """Webhooks whose signature was right."""
    acknowledged_stream: int = 0
    acknowledged_spool: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """By the stable code of the refusal."""
    batches: list[int] = field(default_factory=lambda: [0] * (len(SIZES) + 1))
    """By class of size; the last one is for larger ones, which do not occur."""
    batched: int = 0
    """The sum of their sizes."""
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """Batches that Redis did not confirm, by reason."""
    hints: int = 0
    drained: int = 0
    """Events that came from the spool into the stream."""

    def refuse(self, code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1

    def fail(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def batch(self, size: int) -> None:
        # 1 → 0, 2 → 1, 3..4 → 2, …: the class of powers of two.
        self.batches[min((size - 1).bit_length(), len(SIZES))] += 1
        self.batched += size
