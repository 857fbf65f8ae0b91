"""Sends messages through SAK and other gateways. Records each send before the call and its outcome afterwards."""

import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar
from uuid import UUID

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from api.gateway import errors
from api.gateway.client import SakClient
from api.gateway.senders.sender_client import SenderClient
from api.gateway.settings import SakSettings
from api.gateway.timeouts import Timeouts
from api.http.errors import ApiError
from api.sending import gateway_results, idempotency, recipient
from api.sending.requests import SendRequest
from api.sending.senders import Senders
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import StoreError, TransientError
from store.postgres.pool import Pool
from store.sending import sends
from store.sending.sends import Send, SendDraft, SendResult

T = TypeVar("T")

log = logging.getLogger(__name__)

_POOL_SIZE = 4
_RECORD_RETRY_SECONDS = 3.0
"""The time in seconds for which recording is retried before the gateway is called."""
_COMPLETE_RETRY_SECONDS = 45.0
"""The time in seconds for which recording is retried after the call, because nothing else has its outcome."""
_CLOSE_WAIT_SECONDS = 4.0
"""The time in seconds that `close` waits for running calls."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
    send: Send
    is_new: bool
    """False if an earlier request with the same idempotency key sent the message."""
    retry_after: float | None = None
    """The seconds until SAK's rate limit allows another request, or None if the send was not limited."""


class Outbox:
    """The sends of a process. Calls block, so use them in threads; `owner` is the application name of connections."""

    def __init__(
        self,
        database_url: str,
        settings: SakSettings | None,
        timeouts: Timeouts | None = None,
        senders: Senders | None = None,
    ) -> None:
        """Create an outbox. `settings` are SAK's, or None if it is not configured; `senders` are the other gateways."""
        self.owner = f"sends {uuid.uuid4().hex}"
        self.settings = settings
        self._sak = None if settings is None else SakClient(settings, timeouts)
        self.senders = senders
        self.pool = Pool(database_url, self.owner, size=_POOL_SIZE, read_only=False)
        # A burst waits here rather than in the pool, whose timeout is short.
        self._pool_slots = threading.BoundedSemaphore(_POOL_SIZE)
        self._database_url = database_url
        self._closed = False
        self._in_flight_count = 0
        self._in_flight_changed = threading.Condition()

    @property
    def client(self) -> SakClient:
        """The client of SAK. Raises NotConfiguredError if SAK is not configured."""
        if self._sak is None:
            raise errors.NotConfiguredError("SAK_BASE_URL is not set")
        return self._sak

    def sender_of(self, session_id: str) -> SenderClient | None:
        """Return the gateway of a session that does not belong to SAK, or None."""
        return None if self.senders is None else self.senders.of_session(session_id)

    def open(self) -> None:
        self.pool.open()

    def close(self) -> None:
        """Wait briefly for running calls. A later outcome is recorded over a separate connection."""
        with self._in_flight_changed:
            self._in_flight_changed.wait_for(lambda: not self._in_flight_count, _CLOSE_WAIT_SECONDS)
        self._closed = True
        self.pool.close()
        for client in (self.senders, self._sak):
            if client is not None:
                client.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, request: SendRequest, token_name: str, session_id: str, key: str | None) -> SendDraft:
        """Return the send to record for a request, without recording or sending it. Raises ApiError."""
        address = recipient.resolve(self._query, session_id, request.to)
        file = request.file
        fingerprint = None
        if key is not None:
            digest = None if file is None else file.digest()
            fingerprint = idempotency.fingerprint(session_id, address, request.kind, request.text, digest)
        return SendDraft(
            send_id=uuid.uuid4(),
            session_id=session_id,
            address=address,
            kind=request.kind,
            text=request.text,
            timestamp=time.time_ns() // 1_000_000,
            token=token_name,
            owner=self.owner,
            file_name=None if file is None else file.name,
            mime_type=None if file is None else file.mime_type,
            file_size=None if file is None else file.size,
            idempotency_key=key,
            fingerprint=fingerprint,
        )

    def submit(self, draft: SendDraft, request: SendRequest) -> SendOutcome:
        """Send, unless an earlier request with the idempotency key did.

        Raises ApiError if the key was used for another request, or StoreError, before the gateway is called.
        """
        send = self._record(draft)
        if send.send_id != draft.send_id:
            if send.fingerprint != draft.fingerprint:
                sentence = "This Idempotency-Key was used for another request: use a new one."
                raise ApiError(422, "idempotency_key_reused", sentence)
            return SendOutcome(send, is_new=False)
        with self._in_flight():
            result, retry_after = self._call_gateway(draft, request)
            return SendOutcome(self.complete(send, result), is_new=True, retry_after=retry_after)

    @contextmanager
    def _in_flight(self) -> Generator[None]:
        with self._in_flight_changed:
            self._in_flight_count += 1
        try:
            yield
        finally:
            with self._in_flight_changed:
                self._in_flight_count -= 1
                self._in_flight_changed.notify_all()

    def complete(self, send: Send, result: SendResult) -> Send:
        """Record the result and return the send with it. If the database stays unavailable, only return it."""
        try:
            for attempt in _retrying(_COMPLETE_RETRY_SECONDS):
                with attempt, self._pool_slots, self._final_connection() as connection:
                    return sends.complete(connection, send.send_id, result, own_phone=self._own_phone(send.session_id))
        except StoreError:
            log.exception(
                "send %s is %s (%s), but could not be recorded: it will appear as unknown",
                send.send_id, result.state, result.message_id,
            )  # fmt: skip
        return dataclasses.replace(send, **dataclasses.asdict(result))

    def get(self, send_id: UUID) -> Send | None:
        return self._query(lambda connection: sends.get(connection, send_id))

    def _query(self, query: Callable[[Connection], T]) -> T:
        with self._pool_slots:
            return self.pool.read(query)

    def _own_phone(self, session_id: str) -> str | None:
        """Return the phone of SAK's session, for reports without one. The other gateways report theirs."""
        return None if self.settings is None or self.sender_of(session_id) else self.settings.own_phone

    def _final_connection(self) -> AbstractContextManager[Connection]:
        return connections.open(self._database_url, self.owner) if self._closed else self.pool.connection()

    def _record(self, draft: SendDraft) -> Send:
        for attempt in _retrying(_RECORD_RETRY_SECONDS):
            with attempt, self._pool_slots, self.pool.connection() as connection:
                return sends.record(connection, draft, own_phone=self._own_phone(draft.session_id))
        raise AssertionError("the last attempt raises")

    def _call_gateway(self, draft: SendDraft, request: SendRequest) -> tuple[SendResult, float | None]:
        """Call the gateway. Errors become results; the seconds are those of SendOutcome.retry_after."""
        try:
            sender = self.sender_of(draft.session_id)
            client = self.client if sender is None else sender.for_send(str(draft.send_id))
            if request.file is None:
                response = client.send_text(draft.address, draft.text or "", draft.session_id)
            else:
                request.file.stream.seek(0)
                response = client.send_media(draft.address, request.file, draft.text or "", draft.session_id)
        except errors.OutcomeUnknownError as error:
            return SendResult("unknown", code=error.code or "no_answer", reason=str(error)), None
        except errors.GatewayError as error:
            code = error.code or _ERROR_CODES.get(type(error), "refused")
            return SendResult("failed", code=code, reason=str(error)), errors.retry_after(error)
        return gateway_results.from_response(response), None


_ERROR_CODES: Mapping[type[errors.GatewayError], str] = {
    errors.RateLimitedError: "rate_limited",
    errors.UnreachableError: "unreachable",
    errors.IncompleteFileError: "incomplete_file",
    errors.NotConfiguredError: "not_configured",
}
"""The code of a failure for which SAK gave none."""


def _retrying(seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
