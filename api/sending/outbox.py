"""Sends through the gateway: each is written down before the gateway is asked, and again when it has answered."""

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

from api.gateway import errors, payloads
from api.gateway.client import SakClient
from api.gateway.settings import Settings
from api.gateway.timeouts import Timeouts
from api.http.errors import ApiError
from api.sending import idempotency, recipient
from api.sending.requests import SendRequest
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
"""Seconds in which a database that just restarts is asked again before anything is sent."""
_COMPLETE_RETRY_SECONDS = 45.0
"""The same after the gateway was asked: what it answered is told nowhere else."""
_CLOSE_WAIT_SECONDS = 4.0
"""Seconds that a process which is asked to end waits for the gateway's answers, after those that its requests have."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
    send: Send
    is_new: bool
    """False: its idempotency key had sent it before."""


class Outbox:
    """Blocking, for threads. `owner` names the process: PostgreSQL shows by it whether the process lives."""

    def __init__(self, database_url: str, settings: Settings, timeouts: Timeouts | None = None) -> None:
        self.owner = f"sends {uuid.uuid4().hex}"
        self.settings = settings
        self.client = SakClient(settings, timeouts)
        self.pool = Pool(database_url, self.owner, size=_POOL_SIZE, read_only=False)
        # A burst waits here instead of in the pool, which soon tells who waits to go away.
        self._pool_slots = threading.BoundedSemaphore(_POOL_SIZE)
        self._database_url = database_url
        self._closed = False
        self._in_flight_count = 0
        self._in_flight_changed = threading.Condition()

    def open(self) -> None:
        self.pool.open()

    def close(self) -> None:
        """Wait a little for answers, then let go; one that comes later is written down over a connection of its own."""
        with self._in_flight_changed:
            self._in_flight_changed.wait_for(lambda: not self._in_flight_count, _CLOSE_WAIT_SECONDS)
        self._closed = True
        self.pool.close()
        self.client.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(
        self, request: SendRequest, *, token_name: str, session_id: str, idempotency_key: str | None
    ) -> SendDraft:
        """What the letter comes to in a session; raises Refusal, and then nothing was kept or asked."""
        address = recipient.resolve(self._query, session_id, request.to)
        file = request.attachment
        fingerprint = None
        if idempotency_key is not None:
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
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
        )

    def submit(self, draft: SendDraft, request: SendRequest) -> SendOutcome:
        """Send it, unless its key did; raises Refusal if the key sent something else, and StoreError before sending."""
        with_key = self._record(draft)
        if with_key.send_id != draft.send_id:
            if with_key.fingerprint != draft.fingerprint:
                raise ApiError(
                    422, "idempotency_key_reused", "This Idempotency-Key was used for another request: take a new one."
                )
            return SendOutcome(with_key, is_new=False)
        with self._in_flight():
            return SendOutcome(self.complete(with_key, self._call_gateway(draft, request)), is_new=True)

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
        """Write down what is known now; if the database stays away, say it all the same."""
        try:
            for attempt in _retrying(_COMPLETE_RETRY_SECONDS):
                with attempt, self._pool_slots, self._final_connection() as connection:
                    return sends.complete(connection, send.send_id, result, own_phone=self.settings.own_phone)
        except StoreError:
            log.exception(
                "send %s is %s (%s), which could not be written down: it will be shown as unknown",
                send.send_id, result.state, result.message_id,
            )  # fmt: skip
        return dataclasses.replace(
            send,
            state=result.state,
            message_id=result.message_id,
            gateway_id=result.gateway_id,
            code=result.code,
            reason=result.reason,
        )

    def get(self, send_id: UUID) -> Send | None:
        return self._query(lambda connection: sends.get(connection, send_id))

    def _query(self, query: Callable[[Connection], T]) -> T:
        with self._pool_slots:
            return self.pool.read(query)

    def _final_connection(self) -> AbstractContextManager[Connection]:
        return connections.open(self._database_url, self.owner) if self._closed else self.pool.connection()

    def _record(self, draft: SendDraft) -> Send:
        for attempt in _retrying(_RECORD_RETRY_SECONDS):
            with attempt, self._pool_slots, self.pool.connection() as connection:
                return sends.record(connection, draft, own_phone=self.settings.own_phone)[0]
        raise AssertionError("the last attempt raises")

    def _call_gateway(self, draft: SendDraft, request: SendRequest) -> SendResult:
        """What comes of asking the gateway: a result, whatever happens."""
        try:
            if request.attachment is None or request.kind == "text":
                sent = self.client.send_text(draft.address, draft.text or "", draft.session_id)
            else:
                request.attachment.stream.seek(0)
                sent = self.client.send_media(
                    request.kind,
                    draft.address,
                    request.attachment.stream,
                    file_name=request.attachment.name,
                    mime_type=request.attachment.mime_type,
                    caption=draft.text or "",
                    size=request.attachment.size,
                    session_id=draft.session_id,
                )
        except errors.OutcomeUnknownError as error:
            return SendResult("unknown", code=error.code or "no_answer", reason=str(error))
        except errors.SakError as error:
            return SendResult("failed", code=error.code or _ERROR_CODES.get(type(error), "refused"), reason=str(error))
        return result_from_gateway(sent)


def result_from_gateway(response: payloads.SendResponse) -> SendResult:
    """What the gateway's answer says of a send."""
    if response.status == "sent":
        return SendResult("sent", message_id=_valid_message_id(response.message_id))
    if response.status == "queued":
        return SendResult("queued", gateway_id=_valid_message_id(response.message_id))
    return SendResult(
        "failed", code=response.code or "failed", reason=response.reason or "SAK could not send it, and says no more"
    )


def _valid_message_id(message_id: str | None) -> str | None:
    """A number that can be a message's id; one that cannot is as good as none."""
    if message_id is None or len(message_id) > 200 or not message_id.isprintable():
        return None
    return message_id


_ERROR_CODES: Mapping[type[errors.SakError], str] = {
    errors.RateLimitedError: "rate_limited",
    errors.UnreachableError: "unreachable",
    errors.IncompleteFileError: "incomplete_file",
    errors.NotConfiguredError: "not_configured",
}
"""What kind of failure it was, where SAK gave no code."""


def _retrying(seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
