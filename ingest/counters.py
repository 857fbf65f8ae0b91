"""What this process has done since it started, as plain numbers: the hot path only adds to them."""

from dataclasses import dataclass, field

BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the classes in which batch sizes are counted."""


@dataclass(slots=True)
class Counters:
    received_webhooks: int = 0
    """Webhooks whose signature was right."""
    acknowledged_by_stream: int = 0
    acknowledged_by_spool: int = 0
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    """By the stable code of the refusal."""
    batch_size_counts: list[int] = field(default_factory=lambda: [0] * (len(BATCH_SIZE_BUCKETS) + 1))
    """By class of size; the last one is for larger ones, which do not occur."""
    batched_events: int = 0
    """The sum of their sizes."""
    unconfirmed_batches: dict[str, int] = field(default_factory=dict[str, int])
    """Batches that Redis did not confirm, by reason."""
    drain_jobs: int = 0
    drained_events: int = 0
    """Events that came from the spool into the stream."""

    def count_refusal(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def count_unconfirmed(self, reason: str) -> None:
        self.unconfirmed_batches[reason] = self.unconfirmed_batches.get(reason, 0) + 1

    def count_batch(self, size: int) -> None:
        # 1 → 0, 2 → 1, 3..4 → 2, …: the class of powers of two.
        self.batch_size_counts[min((size - 1).bit_length(), len(BATCH_SIZE_BUCKETS))] += 1
        self.batched_events += size
