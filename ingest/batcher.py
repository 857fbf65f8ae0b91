"""Groups concurrent webhooks into one batch, which is stored as a whole under one identity."""

import asyncio
import logging
import secrets
import time
from collections import deque
from dataclasses import dataclass, field

from http_server.direct_endpoint import Respond
from ingest import responses, tracing
from ingest.batch_store import BatchNotStoredError, BatchStore
from ingest.counters import Counters
from ingest.queue import contract
from ingest.responses import BatchAcknowledgement
from ingest.spool.spool import Spool
from ingest.writer_position import FormerWriters, WriterPosition
from telemetry.spans import Span, Tracer

log = logging.getLogger("ingest")

MAX_EVENTS = 512
MAX_BYTES = 4 << 20
"""A batch that has reached this size accepts no more events."""
MAX_PENDING_BYTES = 128 << 20
"""The number of bytes in waiting bodies above which webhooks are refused instead of filling the memory."""


@dataclass(slots=True)
class PendingBatch:
    """Events that wait to be stored together."""

    acknowledgement: asyncio.Future[BatchAcknowledgement | None]
    """Resolves to the acknowledgement, or to None if the batch could not be stored."""
    begun_at: float = field(default_factory=time.monotonic)
    """The time of its first event, by the monotonic clock."""
    bodies: list[bytes] = field(default_factory=list[bytes])
    received_at: list[int] = field(default_factory=list[int])
    senders: list[str] = field(default_factory=list[str])
    first_order: int = 0
    """The number of events in earlier batches that may have the same receipt as its first event."""
    size_bytes: int = 0
    is_open: bool = True
    """True if new events may join the batch."""
    request_spans: list[Span] = field(default_factory=list[Span])
    """The spans of its requests, if tracing is on."""
    direct_requests: list[tuple[int, Respond]] = field(default_factory=list[tuple[int, Respond]])
    """The requests that wait without a task: the index of the event, and the function that responds."""


class Batcher:
    """A writer of the stream. It stores one batch at a time."""

    def __init__(
        self,
        batch_store: BatchStore,
        spool: Spool,
        former_writers: FormerWriters,
        counters: Counters,
        tracer: Tracer | None = None,
    ) -> None:
        self._former_writers = former_writers
        self._last_receipt = 0
        self._next_order = 0
        self._tracer = tracer
        self._batch_store = batch_store
        self._spool = spool
        self._counters = counters
        self._pending_batches: deque[PendingBatch] = deque()
        self._pending_bytes = 0
        self._work_available = asyncio.Event()
        self._closing = False
        self.position = WriterPosition(_new_writer())
        """The position of the writer that numbers the batches now."""

    def add(self, body: bytes, sender: str = "") -> PendingBatch | None:
        """Add the event to the end of the returned batch. Return None if too many bytes are waiting.

        `sender` is `kind:name`, or '' for an event at /whatsapp-webhook.
        """
        if self._pending_bytes > MAX_PENDING_BYTES:
            return None
        # Receipts and `first_order` decide the order of messages, so a clock that is set back must not change it.
        received_at = max(time.time_ns() // 1_000_000, self._last_receipt)
        pending = self._pending_batches[-1] if self._pending_batches else None
        if pending is None or not pending.is_open:
            pending = self._begin_batch()
            if self._next_order > contract.ORDERS_PER_MILLISECOND - MAX_EVENTS:
                received_at = max(received_at, self._last_receipt + 1)
            if received_at > self._last_receipt:
                self._next_order = 0
            pending.first_order = self._next_order
        self._last_receipt = received_at
        self._next_order += 1
        self._add_event(pending, body, received_at, sender)
        if self._tracer is not None:
            pending.request_spans.append(self._tracer.start_span(_span_name(sender), "server"))
        pending.is_open = len(pending.bodies) < MAX_EVENTS and pending.size_bytes < MAX_BYTES
        return pending

    def add_earlier(self, body: bytes, received_at: int, sender: str) -> PendingBatch | None:
        """Add an event that arrived at this earlier time (in ms) as a batch of its own. Return None as in `add`."""
        if self._pending_bytes > MAX_PENDING_BYTES:
            return None
        pending = self._begin_batch()
        self._add_event(pending, body, received_at, sender)
        pending.is_open = False
        return pending

    def _begin_batch(self) -> PendingBatch:
        pending = PendingBatch(asyncio.get_running_loop().create_future())
        self._pending_batches.append(pending)
        self._work_available.set()
        return pending

    def _add_event(self, pending: PendingBatch, body: bytes, received_at: int, sender: str) -> None:
        pending.bodies.append(body)
        pending.received_at.append(received_at)
        pending.senders.append(sender)
        pending.size_bytes += len(body)
        self._pending_bytes += len(body)
        self._counters.received_webhooks += 1
        if sender:
            self._counters.count_webhook(sender)

    async def run(self) -> None:
        """Store batch after batch until closed and nothing is waiting."""
        while self._pending_batches or not self._closing:
            if self._pending_batches:
                pending = self._pending_batches.popleft()
                self._pending_bytes -= pending.size_bytes
                await self._commit(pending)
            else:
                self._work_available.clear()
                await self._work_available.wait()

    def close(self) -> None:
        """End `run` once nothing is waiting."""
        self._closing = True
        self._work_available.set()

    async def _commit(self, pending: PendingBatch) -> None:
        append = tracing.start_append(self._tracer, pending.request_spans)
        batch = self._make_batch(pending, append.traceparents)
        path = await self._store(batch, pending.begun_at)
        append.end(batch, path)
        if pending.acknowledgement.done():  # only if the process is killed during shutdown
            return
        name = batch.name
        if path is None:
            log.error("batch not stored; senders received 503", extra={"batch": name, "events": len(batch.bodies)})
            pending.acknowledgement.set_result(None)
            for _, respond in pending.direct_requests:
                self._counters.count_refusal(responses.NOT_KEPT.code)
                responses.respond_error(respond, responses.NOT_KEPT)
            return
        if log.isEnabledFor(logging.DEBUG):
            log.debug("batch stored", extra={"batch": name, "events": len(batch.bodies), "path": path})
        self._counters.count_batch(len(batch.bodies))
        acknowledgement = BatchAcknowledgement(name, path)
        pending.acknowledgement.set_result(acknowledgement)
        for index, respond in pending.direct_requests:
            acknowledgement.respond(index, respond)

    def _make_batch(self, pending: PendingBatch, traceparents: tuple[str, ...]) -> contract.RawBatch:
        """Return the batch. Its identity is assigned once, before the first attempt to store it."""
        return contract.RawBatch(
            writer=self.position.writer,
            number=self.position.number + 1,
            acknowledged_events=self.position.acknowledged_events + len(pending.bodies),
            received_at=tuple(pending.received_at),
            bodies=tuple(pending.bodies),
            spooled_events=self._spool.events,
            first_order=pending.first_order,
            traceparents=traceparents,
            senders=tuple(pending.senders) if any(pending.senders) else (),
        )

    async def _store(self, batch: contract.RawBatch, begun_at: float) -> str | None:
        try:
            path = await self._batch_store.store(batch, begun_at)
        except BatchNotStoredError as error:
            if error.may_be_stored:
                # The batch may be stored although its senders received 503, so the next batch must not have the same
                # number.
                self._replace_writer()
            return None
        self.position = WriterPosition(batch.writer, batch.number, batch.acknowledged_events)
        return path

    def _replace_writer(self) -> None:
        self._former_writers.add(self.position)
        self.position = WriterPosition(_new_writer())


def _span_name(sender: str) -> str:
    return f"POST /webhooks/{sender.partition(':')[2]}" if sender else "POST /whatsapp-webhook"


def _new_writer() -> str:
    return secrets.token_hex(16)
