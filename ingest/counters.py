"""Counts the work of this process since its start, in plain numbers that are cheap to increment."""

from dataclasses import dataclass, field

BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""The upper bounds of the histogram of batch sizes, in events."""


@dataclass(slots=True)
class Counters:
    received_webhooks: int = 0
    """Webhooks with a valid signature."""
    webhooks_by_sender: dict[str, int] = field(default_factory=dict[str, int])
    """Webhooks at /webhooks/NAME, by name."""
    acknowledged_by_stream: int = 0
    acknowledged_by_spool: int = 0
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    """Refused requests by the code in the answer. Bodies over the limit that no secret signs count as
    `body_unverified`.
    """
    largest_refused_body: int = 0
    """The size of the largest signed body that was refused for its size."""
    batch_size_counts: list[int] = field(default_factory=lambda: [0] * (len(BATCH_SIZE_BUCKETS) + 1))
    """The number of batches per bucket. The last one is for larger batches, which do not occur."""
    batched_events: int = 0
    """The sum of the sizes of all batches."""
    unconfirmed_batches: dict[str, int] = field(default_factory=dict[str, int])
    """Batches that Redis did not confirm, by reason."""
    recovered_webhooks: int = 0
    """Webhooks from the quarantine that matched a new secret."""
    dropped_webhooks: dict[str, int] = field(default_factory=dict[str, int])
    """Webhooks whose signature fits no secret and that the quarantine could not keep, by reason."""
    drain_jobs: int = 0
    drained_events: int = 0
    """Events that were moved from the spool to the stream."""
    resent_events: int = 0
    """Events in tails that were sent to the stream again."""

    def count_refusal(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def count_webhook(self, sender: str) -> None:
        """Count a webhook of the sender `kind:name`."""
        name = sender.partition(":")[2]
        self.webhooks_by_sender[name] = self.webhooks_by_sender.get(name, 0) + 1

    def count_dropped(self, reason: str, count: int = 1) -> None:
        self.dropped_webhooks[reason] = self.dropped_webhooks.get(reason, 0) + count

    def count_unconfirmed(self, reason: str) -> None:
        self.unconfirmed_batches[reason] = self.unconfirmed_batches.get(reason, 0) + 1

    def count_batch(self, size: int) -> None:
        # Buckets are powers of two: 1 → 0, 2 → 1, 3..4 → 2, …
        self.batch_size_counts[min((size - 1).bit_length(), len(BATCH_SIZE_BUCKETS))] += 1
        self.batched_events += size
