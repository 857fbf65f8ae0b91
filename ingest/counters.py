"""Counts of this process since its start, as plain numbers that are cheap to increment."""

from dataclasses import dataclass, field

BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the histogram of batch sizes, in events."""


@dataclass(slots=True)
class Counters:
    received_webhooks: int = 0
    """Webhooks with a valid signature."""
    webhooks_by_sender: dict[str, int] = field(default_factory=dict[str, int])
    """Those at /webhooks/NAME by name."""
    acknowledged_by_stream: int = 0
    acknowledged_by_spool: int = 0
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    """Refused requests by the code in the answer; bodies over the limit that no secret signs are `body_unverified`."""
    largest_refused_body: int = 0
    """Bytes of the largest signed body that was refused for its size."""
    batch_size_counts: list[int] = field(default_factory=lambda: [0] * (len(BATCH_SIZE_BUCKETS) + 1))
    """Batches per bucket; the last one is for larger batches, which do not occur."""
    batched_events: int = 0
    """Sum of the batches' sizes."""
    unconfirmed_batches: dict[str, int] = field(default_factory=dict[str, int])
    """Batches that Redis did not confirm, by reason."""
    recovered_webhooks: int = 0
    """Webhooks of the quarantine that a new secret signed."""
    unquarantined: dict[str, int] = field(default_factory=dict[str, int])
    """Webhooks with a signature that fits no secret and that the quarantine could not keep, by reason."""
    drain_jobs: int = 0
    drained_events: int = 0
    """Events moved from the spool to the stream."""
    resent_events: int = 0
    """Events of tails that were sent to the stream again."""

    def count_refusal(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def count_webhook(self, sender: str) -> None:
        """Count a webhook of the sender `kind:name`."""
        name = sender.partition(":")[2]
        self.webhooks_by_sender[name] = self.webhooks_by_sender.get(name, 0) + 1

    def count_unquarantined(self, reason: str, count: int = 1) -> None:
        self.unquarantined[reason] = self.unquarantined.get(reason, 0) + count

    def count_unconfirmed(self, reason: str) -> None:
        self.unconfirmed_batches[reason] = self.unconfirmed_batches.get(reason, 0) + 1

    def count_batch(self, size: int) -> None:
        # Buckets are powers of two: 1 → 0, 2 → 1, 3..4 → 2, …
        self.batch_size_counts[min((size - 1).bit_length(), len(BATCH_SIZE_BUCKETS))] += 1
        self.batched_events += size
