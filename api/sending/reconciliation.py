"""Compares a send that nobody knows the end of with SAK's own list of what was sent through its API.

SAK's list has number, type, time and what was answered; no text. So a send is settled only if exactly one entry can
be meant by it, and it is the only send that can be meant by that entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api.gateway import errors, phone_number
from api.gateway.payloads import SendResponse, SentMessage
from api.http.errors import ApiError
from api.sending import outbox
from api.sending.outbox import Outbox
from store.sending import unsettled
from store.sending.sends import Send, SendResult

WINDOW_BEFORE_MS, WINDOW_AFTER_MS = 60_000, 120_000
"""How far, in ms, SAK's time of a message may lie before ours (its clock) and after it (its clock, and its 45 s)."""
_PAGE_SIZE, _MAX_PAGES = 100, 10
"""At most a tenth of what SAK allows in a minute."""
_AMBIGUOUS_FAILURE_MS = 20_000
"""SAK calls failed what it gave up waiting for: after so many ms its `failed` is no knowledge."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    send: Send
    """As it is now."""
    is_settled: bool
    explanation: str


def reconcile(sending: Outbox, send: Send) -> Reconciliation:
    """Look the send up at SAK and write down what is certain; raises Refusal if SAK does not tell."""
    if send.state == "accepted":
        return Reconciliation(send, is_settled=False, explanation="SAK is just being asked.")
    if send.state not in ("unknown", "queued"):
        return Reconciliation(send, is_settled=True, explanation="Its end is known.")
    try:
        past = _list_sent(sending, send)
    except errors.SakError as error:
        raise ApiError(502, "sak_unavailable", f"SAK does not show its list: {error}.") from error
    if send.state == "queued":
        there = any(one.message_id == send.gateway_id for one in past)
        return Reconciliation(send, is_settled=False, explanation=_STILL_QUEUED if there else _MISSING_QUEUED)
    found = _match(sending, send, [one for one in past if _is_candidate(one, send)])
    if isinstance(found, str):
        return Reconciliation(send, is_settled=False, explanation=found)
    explanation = f"SAK's list has exactly one entry that can be meant: {found.state}."
    return Reconciliation(sending.complete(send, found), is_settled=True, explanation=explanation)


_STILL_QUEUED = (
    "SAK queued it, and its list says so for ever: the queue is in SAK's memory, drops it after three tries, and "
    "nothing ties its number to WhatsApp's. If it goes out, it is a message of its own."
)
_MISSING_QUEUED = "SAK said that it queued it, and its list has no entry for it."
_NO_ENTRY = "SAK's list has no entry for it, which does not prove that it was not sent."
_AMBIGUOUS_FAILURE = "SAK calls it failed, which it also says when it only gave up waiting: it may have gone out."


def _match(sending: Outbox, send: Send, candidates: Sequence[SentMessage]) -> SendResult | str:
    """What the one entry says that can be meant, or why there is none."""
    with sending.pool.connection() as connection:
        taken = unsettled.ids_of_other_sends(connection, send, [one.message_id for one in candidates if one.message_id])
        entries = [one for one in candidates if one.message_id not in taken]
        if not entries:
            return _NO_ENTRY
        if len(entries) > 1:
            return f"SAK's list has {len(entries)} entries that could be meant, and no text."
        others = unsettled.count_indistinguishable(
            connection, send, entries[0].status, WINDOW_BEFORE_MS + WINDOW_AFTER_MS
        )
    if others:
        return f"SAK's list has one entry, which {others} other sends like it could have made as well."
    return _result_from_entry(entries[0], send) or _AMBIGUOUS_FAILURE


def _list_sent(sending: Outbox, send: Send) -> list[SentMessage]:
    """SAK's list, newest first, back to before the send."""
    found: list[SentMessage] = []
    for page in range(_MAX_PAGES):
        part = sending.client.list_sent_messages(_PAGE_SIZE, page * _PAGE_SIZE, send.session_id)
        found += part
        times = [at for at in map(_timestamp_ms, part) if at is not None]
        if len(part) < _PAGE_SIZE or (times and min(times) < send.timestamp - WINDOW_BEFORE_MS):
            break
    return found


def _is_candidate(entry: SentMessage, send: Send) -> bool:
    at = _timestamp_ms(entry)
    return (
        at is not None
        and send.timestamp - WINDOW_BEFORE_MS <= at <= send.timestamp + WINDOW_AFTER_MS
        and entry.type == send.kind
        and _recipient_digits(entry.to) == send.address
    )


def _recipient_digits(to: str) -> str | None:
    try:
        return phone_number.normalize(to)
    except phone_number.InvalidRecipientError:
        return None


def _timestamp_ms(entry: SentMessage) -> int | None:
    """In ms; a time without an offset is UTC."""
    try:
        at = datetime.fromisoformat(entry.created_at)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _result_from_entry(entry: SentMessage, send: Send) -> SendResult | None:
    """What an entry says of the send; None if even that is not certain."""
    if entry.status in ("sent", "delivered", "read"):
        return outbox.result_from_gateway(SendResponse("sent", entry.message_id))
    if entry.status == "queued":
        return outbox.result_from_gateway(SendResponse("queued", entry.message_id))
    late = (_timestamp_ms(entry) or 0) - send.timestamp >= _AMBIGUOUS_FAILURE_MS or (
        send.duration_ms or 0
    ) >= _AMBIGUOUS_FAILURE_MS
    if entry.status != "failed" or late:
        return None
    return outbox.result_from_gateway(SendResponse("failed", None, "failed", "SAK's list says that it failed"))
