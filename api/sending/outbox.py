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
from api.gateway.client import Client
from api.gateway.settings import Settings
from api.gateway.timeouts import Patience
from api.http.errors import Refusal
from api.sending import idempotency, recipient
from api.sending.requests import Letter
from store.postgres import connections
from store.postgres.connections import Connection
from store.postgres.errors import StoreError, TransientError
from store.postgres.pool import Pool
from store.sending import sends
from store.sending.sends import Draft, Result, Send

T = TypeVar("T")

log = logging.getLogger(__name__)

_CONNECTIONS = 4
_RECORDING = 3.0
"""Seconds in which a database that just restarts is asked again before anything is sent."""
_COMPLETING = 45.0
"""The same after the gateway was asked: what it answered is told nowhere else."""
_LAST_ANSWERS = 4.0
"""Seconds that a process which is asked to end waits for the gateway's answers, after those that its requests have."""


@dataclass(frozen=True, slots=True)
class Posted:
    send: Send
    new: bool
    """False: its idempotency key had sent it before."""


class Outbox:
    """Blocking, for threads. `owner` names the process: PostgreSQL shows by it whether the process lives."""

    def __init__(self, database_url: str, settings: Settings, patience: Patience | None = None) -> None:
        self.owner = f"sends {uuid.uuid4().hex}"
        self.settings = settings
        self.client = Client(settings, patience)
        self.pool = Pool(database_url, self.owner, size=_CONNECTIONS, read_only=False)
        # A burst waits here instead of in the pool, which soon tells who waits to go away.
        self._turns = threading.BoundedSemaphore(_CONNECTIONS)
        self._database_url = database_url
        self._closed = False
        self._flying = 0
        self._landed = threading.Condition()

    def open(self) -> None:
        self.pool.open()

    def close(self) -> None:
        """Wait a little for answers, then let go; one that comes later is written down over a connection of its own."""
        with self._landed:
            self._landed.wait_for(lambda: not self._flying, _LAST_ANSWERS)
        self._closed = True
        self.pool.close()
        self.client.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draft(self, letter: Letter, *, token: str, session_id: str, key: str | None) -> Draft:
        """What the letter comes to in a session; raises Refusal, and then nothing was kept or asked."""
        address = recipient.find(self._query, session_id, letter.to)
        file = letter.file
        fingerprint = None
        if key is not None:
            digest = None if file is None else file.digest()
            fingerprint = idempotency.fingerprint(session_id, address, letter.kind, letter.text, digest)
        return Draft(
            send_id=uuid.uuid4(),
            session_id=session_id,
            address=address,
            kind=letter.kind,
            text=letter.text,
            timestamp=time.time_ns() // 1_000_000,
            token=token,
            owner=self.owner,
            file_name=None if file is None else file.name,
            mime_type=None if file is None else file.mime_type,
            file_size=None if file is None else file.size,
            idempotency_key=key,
            fingerprint=fingerprint,
        )

    def post(self, draft: Draft, letter: Letter) -> Posted:
        """Send it, unless its key did; raises Refusal if the key sent something else, and StoreError before sending."""
        with_key = self._record(draft)
        if with_key.send_id != draft.send_id:
            if with_key.fingerprint != draft.fingerprint:
                raise Refusal(
                    422, "idempotency_key_reused", "This Idempotency-Key was used for another request: take a new one."
                )
            return Posted(with_key, new=False)
        with self._flight():
            return Posted(self.complete(with_key, self._ask(draft, letter)), new=True)

    @contextmanager
    def _flight(self) -> Generator[None]:
        with self._landed:
            self._flying += 1
        try:
            yield
        finally:
            with self._landed:
                self._flying -= 1
                self._landed.notify_all()

    def complete(self, send: Send, result: Result) -> Send:
        """Write down what is known now; if the database stays away, say it all the same."""
        try:
            for attempt in _again(_COMPLETING):
                with attempt, self._turns, self._last_connection() as connection:
                    return sends.complete(connection, send.send_id, result, own_phone=self.settings.phone)
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

    def _query(self, question: Callable[[Connection], T]) -> T:
        with self._turns:
            return self.pool.ask(question)

    def _last_connection(self) -> AbstractContextManager[Connection]:
        return connections.open(self._database_url, self.owner) if self._closed else self.pool.connection()

    def _record(self, draft: Draft) -> Send:
        for attempt in _again(_RECORDING):
            with attempt, self._turns, self.pool.connection() as connection:
                return sends.record(connection, draft, own_phone=self.settings.phone)[0]
        raise AssertionError("the last attempt raises")

    def _ask(self, draft: Draft, letter: Letter) -> Result:
        """What comes of asking the gateway: a result, whatever happens."""
        try:
            if letter.file is None or letter.kind == "text":
                sent = self.client.send(draft.address, draft.text or "", draft.session_id)
            else:
                letter.file.content.seek(0)
                sent = self.client.send_media(
                    letter.kind,
                    draft.address,
                    letter.file.content,
                    file_name=letter.file.name,
                    mime_type=letter.file.mime_type,
                    caption=draft.text or "",
                    size=letter.file.size,
                    session_id=draft.session_id,
                )
        except errors.UnknownError as error:
            return Result("unknown", code=error.code or "no_answer", reason=str(error))
        except errors.SakError as error:
            return Result("failed", code=error.code or _CODES.get(type(error), "refused"), reason=str(error))
        return of_answer(sent)


def of_answer(sent: payloads.Sent) -> Result:
    """What the gateway's answer says of a send."""
    if sent.status == "sent":
        return Result("sent", message_id=_storable(sent.message_id))
    if sent.status == "queued":
        return Result("queued", gateway_id=_storable(sent.message_id))
    return Result("failed", code=sent.code or "failed", reason=sent.reason or "SAK could not send it, and says no more")


def _storable(number: str | None) -> str | None:
    """A number that can be a message's id; one that cannot is as good as none."""
    if number is None or len(number) > 200 or not number.isprintable():
        return None
    return number


_CODES: Mapping[type[errors.SakError], str] = {
    errors.LimitedError: "rate_limited",
    errors.UnreachableError: "unreachable",
    errors.IncompleteFileError: "incomplete_file",
    errors.NotConfiguredError: "not_configured",
}
"""What kind of failure it was, where SAK gave no code."""


def _again(seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
