"""Keeps webhooks whose signature fits no secret, and stores them once a secret fits.

SAK sends each webhook once, so every event between the registration of a webhook and the arrival of its secret here
would be lost. The quarantine is limited in bytes, rate and age, and never parses a webhook before its signature fits.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from ingest.batcher import Batcher
from ingest.counters import Counters
from ingest.quarantine.quarantine_file import QuarantineFile, UnverifiedWebhook
from ingest.queue.contract import DEFAULT_SENDER
from ingest.signing.signature import Credentials
from ingest.signing.verifiers import Verifiers

log = logging.getLogger("ingest")

DAYS = 7
"""The number of days for which a webhook is kept."""
RATE_BYTES = 256 << 10
"""The average number of bytes kept per second, with bursts of a minute, so that strangers cannot fill the file at once.
"""
BURST_BYTES = 60 * RATE_BYTES
MAX_WAITING_BYTES = 4 << 20
"""The bytes that may wait in memory. A quarter of them is written at once."""
EVENT_OVERHEAD_BYTES = 1024
"""The size of a webhook in addition to its body, in bytes."""
MAINTENANCE_SECONDS = 1.0
"""The time in seconds between two checks of the file of secrets, and the longest time that a webhook waits in memory.
"""
_SIGNATURE_LENGTH = len("sha256=") + 64
_MAX_CREDENTIALS_BYTES = 4096
_READ_LIMIT = 16
_RUNS_PER_REMOVAL = 60


@dataclass(slots=True)
class QuarantineSize:
    events: int = 0
    size_bytes: int = 0


class Quarantine:
    """The quarantine of one process. The processes that share a spool folder share the file."""

    def __init__(
        self,
        file: QuarantineFile,
        max_bytes: int,
        verifiers: Verifiers,
        batcher: Batcher,
        counters: Counters,
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._verifiers = verifiers
        self._batcher = batcher
        self._counters = counters
        self._waiting: list[UnverifiedWebhook] = []
        self._allowance = float(BURST_BYTES)
        self._refilled_at = time.monotonic()
        self._verification_due = True
        self._last_receipt = 0
        self._waiting_bytes = 0
        self._is_due = asyncio.Event()
        self.size = QuarantineSize()
        """The size when it was last measured."""

    def offer(self, sender: str, body: bytes, credentials: Credentials) -> None:
        """Keep the webhook, unless its headers are not credentials or the rate limit is exceeded."""
        signature = _encode(sender, credentials)
        if signature is None:
            return
        now = time.monotonic()
        self._allowance = min(BURST_BYTES, self._allowance + RATE_BYTES * (now - self._refilled_at))
        self._refilled_at = now
        cost = len(body) + EVENT_OVERHEAD_BYTES
        if cost > min(self._allowance, MAX_WAITING_BYTES - self._waiting_bytes):
            self._counters.count_dropped("rate")
            return
        self._allowance -= cost
        self._waiting_bytes += cost
        if self._waiting_bytes > MAX_WAITING_BYTES / 4:
            self._is_due.set()
        # Each webhook gets its own millisecond, because only the receipt decides the order.
        self._last_receipt = max(time.time_ns() // 1_000_000, self._last_receipt + 1)
        self._waiting.append(UnverifiedWebhook(self._last_receipt, signature, body, sender))

    @contextlib.asynccontextmanager
    async def running(self, on_end: Callable[[asyncio.Task[None]], None]) -> AsyncGenerator[None]:
        """Write and verify webhooks in a background task within the block.

        `on_end` is called when the task has ended.
        """
        task = asyncio.create_task(self._run())
        task.add_done_callback(on_end)
        yield
        task.cancel()
        await asyncio.wait([task])
        with contextlib.suppress(sqlite3.Error, OSError):
            await self.flush()

    async def _run(self) -> None:
        runs = 0
        while True:
            await self.maintain(remove_old=runs % _RUNS_PER_REMOVAL == 0)
            runs += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAINTENANCE_SECONDS):
                    await self._is_due.wait()

    async def maintain(self, *, remove_old: bool = False) -> None:
        """Write the waiting webhooks, and verify all kept ones again if the secrets have changed.

        With `remove_old`, also remove those that are older than DAYS. A failure of the file is logged, and the next
        call tries again.
        """
        if await asyncio.to_thread(self._verifiers.reload):
            self._verification_due = True
        try:
            await self.flush()
            if remove_old:
                age_limit = time.time_ns() // 1_000_000 - DAYS * 86_400_000
                await asyncio.to_thread(self._file.remove_older, age_limit)
            if self._verification_due:
                self._verification_due = not await self._verify()
            if remove_old or self._verification_due or self.size.events:
                self.size = QuarantineSize(*await asyncio.to_thread(self._file.size))
        except (sqlite3.Error, OSError) as error:
            log.warning("the quarantine cannot be used (%s)", type(error).__name__)

    async def flush(self) -> None:
        """Write the webhooks in memory, and count those without room. Raises sqlite3.Error and OSError."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        self._is_due.clear()
        try:
            dropped = await asyncio.to_thread(self._file.add, waiting, self._max_bytes)
        except (sqlite3.Error, OSError):
            self._counters.count_dropped("disk", len(waiting))
            raise
        self._counters.count_dropped("full", dropped)
        self.size = QuarantineSize(*await asyncio.to_thread(self._file.size))

    async def _verify(self) -> bool:
        """Store the webhooks that now fit a secret, dated by their receipt. Return whether all were verified.

        The receipt decides their place in the chat, and whether they arrived before the erasure of a person, because
        `forget` reaches only the quarantine of its own host.
        """
        after = 0
        while webhooks := await asyncio.to_thread(self._file.read, after, _READ_LIMIT):
            after = webhooks[-1].id
            for webhook in webhooks:
                if not self._fits(webhook):
                    continue
                pending = self._batcher.add_earlier(webhook.body, webhook.received_at, webhook.sender)
                # The future is shielded, because other requests wait for it when this task is cancelled.
                if pending is None or await asyncio.shield(pending.acknowledgement) is None:
                    return False  # nothing can be stored now
                await asyncio.to_thread(self._file.remove, [webhook.id])
                self._counters.recovered_webhooks += 1
        return True

    def _fits(self, webhook: UnverifiedWebhook) -> bool:
        verifier = self._verifiers.of(webhook.sender)
        if verifier is None:
            return False
        credentials = _decode(webhook.sender, webhook.signature, verifier.headers)
        return verifier.verify(webhook.body, credentials, webhook.received_at / 1000)


def _encode(sender: str, credentials: Credentials) -> bytes | None:
    """Return the headers in the format of the file, or None if they cannot authenticate a webhook."""
    if sender == DEFAULT_SENDER:
        signature = b"".join(credentials.values())
        return signature if len(signature.strip()) == _SIGNATURE_LENGTH else None
    encoded = b"\n".join(name + b":" + value for name, value in credentials.items())
    return encoded if 0 < len(encoded) <= _MAX_CREDENTIALS_BYTES else None


def _decode(sender: str, signature: bytes, headers: frozenset[bytes]) -> Credentials:
    if sender == DEFAULT_SENDER:
        return dict.fromkeys(headers, signature)
    return {name: value for name, _, value in (line.partition(b":") for line in signature.split(b"\n"))}
