"""Group commit: whatever is in flight becomes one batch, which is kept whole under the identity that it got once."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Sequence

from ingest import tracing
from ingest.batch_store import Keeper, NotKeptError
from ingest.counters import Counts
from ingest.queue import contract
from ingest.responses import Acknowledgements
from ingest.spool import Spool
from telemetry.traces import Span, Traces

log = logging.getLogger("ingest")

MAX_EVENTS = 512
MAX_BYTES = 4 << 20
"""A batch takes no more events once it has reached one of these."""
MAX_WAITING_BYTES = 128 << 20
"""Beyond this, bodies that wait for their batch are refused instead of filling the memory."""
IDLE_SECONDS = 1.0
"""After this long without events, one empty batch tells how far the writer got."""


class Pending:
    """Events that wait to be kept together."""

    __slots__ = ("bodies", "kept", "receipts", "size", "spans")

    def __init__(self, kept: asyncio.Future[Acknowledgements | None]) -> None:
        self.bodies: list[bytes] = []
        self.receipts: list[int] = []
        self.size = 0
        self.spans: list[Span] = []
        """Of its requests, where somebody wants traces."""
        self.kept = kept
        """Becomes the answers to the batch, or None if it could not be kept."""


class Batcher:
    """One writer of the stream; it has one batch under way at a time."""

    def __init__(self, keeper: Keeper, spool: Spool, counts: Counts, traces: Traces | None = None) -> None:
        self._traces = traces
        self._keeper = keeper
        self._spool = spool
        self._counts = counts
        self._waiting: deque[Pending] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._tail_due = False
        self._new_writer()

    def add(self, body: bytes) -> Pending | None:
        """Let the event wait, as the last one of the batch that is returned; None if too much waits already."""
        if self._waiting_bytes > MAX_WAITING_BYTES:
            return None
        pending = self._waiting[-1] if self._waiting else None
        if pending is None or len(pending.bodies) >= MAX_EVENTS or pending.size >= MAX_BYTES:
            pending = Pending(asyncio.get_running_loop().create_future())
            self._waiting.append(pending)
            self._wake.set()
        pending.bodies.append(body)
        pending.receipts.append(time.time_ns() // 1_000_000)
        pending.size += len(body)
        if self._traces is not None:
            pending.spans.append(self._traces.start("POST /whatsapp-webhook", "server"))
        self._waiting_bytes += len(body)
        self._counts.received += 1
        return pending

    def tell_tail(self) -> None:
        """Send an empty batch once nothing else has been sent for a second."""
        self._tail_due = True
        self._wake.set()

    async def run(self) -> None:
        """Keep batch after batch until closed and nothing waits."""
        while self._waiting or not self._closing:
            if self._waiting:
                pending = self._waiting.popleft()
                self._waiting_bytes -= pending.size
                await self._commit(pending)
            else:
                self._wake.clear()
                if not await self._woken():
                    await self._commit_tail()
        if self._tail_due:
            await self._commit_tail()

    def close(self) -> None:
        """Let `run` end once nothing waits."""
        self._closing = True
        self._wake.set()

    async def _woken(self) -> bool:
        if not self._tail_due:
            return await self._wake.wait()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._wake.wait()
        except TimeoutError:
            return False

    async def _commit(self, pending: Pending) -> None:
        append = tracing.begin(self._traces, pending.spans)
        batch = self._identified(pending.receipts, pending.bodies, append.carried)
        path = await self._kept(batch)
        append.end(batch, path)
        if pending.kept.done():  # only if the process is being ended by force
            return
        name = f"{batch.writer}:{batch.number}"
        if path is None:
            log.error(
                "a batch is kept nowhere: its senders hear 503", extra={"batch": name, "events": len(batch.bodies)}
            )
            pending.kept.set_result(None)
            return
        if log.isEnabledFor(logging.DEBUG):
            log.debug("kept", extra={"batch": name, "events": len(batch.bodies), "path": path})
        self._counts.batch(len(batch.bodies))
        self._tail_due = True
        pending.kept.set_result(Acknowledgements(name, path))

    async def _commit_tail(self) -> None:
        if self._keeper.reachable:
            self._tail_due = False
            await self._kept(self._identified((), ()))

    def _identified(
        self, receipts: Sequence[int], bodies: Sequence[bytes], trace: tuple[str, ...] = ()
    ) -> contract.Batch:
        """The identity, once, before the first attempt."""
        return contract.Batch(
            writer=self._writer,
            number=self._number + 1,
            upto=self._upto + len(bodies),
            receipts=tuple(receipts),
            bodies=tuple(bodies),
            spooled=self._spool.events,
            trace=trace,
        )

    async def _kept(self, batch: contract.Batch) -> str | None:
        try:
            path = await self._keeper.keep(batch)
        except NotKeptError as error:
            if error.doubtful:
                # The batch may turn up although its senders hear 503: whoever comes next must not share its number.
                self._new_writer()
            return None
        self._number = batch.number
        self._upto = batch.upto
        return path

    def _new_writer(self) -> None:
        self._writer = secrets.token_hex(16)
        self._number = 0
        self._upto = 0
