"""Reconciles a send of unknown outcome with the gateway's list of sent messages.

SAK's list has number, type, time and status, but no text. A send therefore gets a result only if exactly one entry
matches it, and that entry matches no other send.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from api.gateway import errors, timeouts, times
from api.gateway.payloads import SendResponse, SentListEntry
from api.http.errors import ApiError
from api.sending import gateway_results, sender_reconciliation
from api.sending.outbox import Outbox
from store.model import addresses
from store.sending import unsettled
from store.sending.sends import Send, SendResult

WINDOW_BEFORE_MS, WINDOW_AFTER_MS = 60_000, 120_000
"""The times in ms by which SAK's timestamp of a send may be before the recorded one (clock skew) or after it (clock
skew, and the 45 s that SAK takes for a video).
"""
_PAGE_SIZE, _MAX_PAGES = 100, 10
"""The entries of a page, and the greatest number of pages: a tenth of SAK's rate limit."""
_AMBIGUOUS_FAILURE_MS = int(timeouts.AMBIGUOUS_FAILURE_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    send: Send
    """The current state of the send."""
    is_settled: bool
    explanation: str


def reconcile(outbox: Outbox, send: Send) -> Reconciliation:
    """Look the send up at the gateway and record its outcome if it is certain. Raises ApiError if the gateway fails."""
    if send.state == "accepted":
        return Reconciliation(send, is_settled=False, explanation="The call to SAK is still running.")
    if send.state not in ("unknown", "queued"):
        return Reconciliation(send, is_settled=True, explanation="Its outcome is known already.")
    if ":" in send.session_id:
        return _reconcile_with_sender(outbox, send)
    try:
        entries = _list_sent(outbox, send)
    except errors.GatewayError as error:
        raise _list_unavailable("SAK", error) from error
    if send.gateway_id is not None:
        is_listed = any(entry.message_id == send.gateway_id for entry in entries)
        return Reconciliation(send, is_settled=False, explanation=_STILL_QUEUED if is_listed else _MISSING_QUEUED)
    result = _match(outbox, send, [entry for entry in entries if _is_candidate(entry, send)])
    if isinstance(result, str):
        return Reconciliation(send, is_settled=False, explanation=result)
    explanation = f"Exactly one entry of SAK's list matches: {result.state}."
    return Reconciliation(outbox.complete(send, result), is_settled=True, explanation=explanation)


def _reconcile_with_sender(outbox: Outbox, send: Send) -> Reconciliation:
    sender = outbox.sender_of(send.session_id)
    if sender is None:
        return Reconciliation(send, is_settled=False, explanation=_UNKNOWN_SENDER)
    try:
        result = sender_reconciliation.result(outbox, sender, send)
    except errors.GatewayError as error:
        raise _list_unavailable(sender.title, error) from error
    if isinstance(result, str):
        return Reconciliation(send, is_settled=False, explanation=result)
    return Reconciliation(outbox.complete(send, result), is_settled=True, explanation="Its message was found: sent.")


def _list_unavailable(gateway: str, error: errors.GatewayError) -> ApiError:
    seconds = errors.retry_after(error)
    headers = {} if seconds is None else {"retry-after": str(math.ceil(seconds))}
    return ApiError(502, "sak_unavailable", f"{gateway} did not return its list: {error}.", headers)


_UNKNOWN_SENDER = "Its gateway is not known here: use the api, whose senders.toml must contain it."
_STILL_QUEUED = (
    "SAK queued it, and its list never changes: the queue is in SAK's memory, drops it after about 20 s, and nothing "
    "links its id to WhatsApp's. If it was sent, it is a separate message."
)
_MISSING_QUEUED = "SAK reported it as queued, but its list has no entry for it."
_NO_ENTRY = "No entry of SAK's list matches, which does not prove that it was not sent."
_AMBIGUOUS_FAILURE = "SAK reports it as failed, which may mean a timeout: it may have been sent."


def _match(outbox: Outbox, send: Send, candidates: Sequence[SentListEntry]) -> SendResult | str:
    """Return the result in the entry if exactly one matches, and matches only this send, or the reason against it."""
    with outbox.pool.connection() as connection:
        message_ids = [entry.message_id for entry in candidates if entry.message_id]
        claimed_ids = unsettled.ids_of_other_sends(connection, send, message_ids)
        entries = [entry for entry in candidates if entry.message_id not in claimed_ids]
        if not entries:
            return _NO_ENTRY
        if len(entries) > 1:
            return f"{len(entries)} entries of SAK's list match, and they have no text to compare."
        window = WINDOW_BEFORE_MS + WINDOW_AFTER_MS
        others = unsettled.count_indistinguishable(connection, send, entries[0].status, window)
    if others:
        return f"One entry of SAK's list matches, but it matches {others} other sends as well."
    return _result_from_entry(entries[0], send) or _AMBIGUOUS_FAILURE


def _list_sent(outbox: Outbox, send: Send) -> list[SentListEntry]:
    """Return SAK's list, newest first, back to the time of the send."""
    entries: list[SentListEntry] = []
    for page in range(_MAX_PAGES):
        page_entries = outbox.client.list_sent_messages(_PAGE_SIZE, page * _PAGE_SIZE, send.session_id)
        entries += page_entries
        dated = [at for at in map(_timestamp_ms, page_entries) if at is not None]
        if len(page_entries) < _PAGE_SIZE or (dated and min(dated) < send.timestamp - WINDOW_BEFORE_MS):
            break
    return entries


def _is_candidate(entry: SentListEntry, send: Send) -> bool:
    at = _timestamp_ms(entry)
    return (
        at is not None
        and send.timestamp - WINDOW_BEFORE_MS <= at <= send.timestamp + WINDOW_AFTER_MS
        and entry.type == send.kind
        and recipient_digits(entry.to) == send.address
    )


def recipient_digits(to: str) -> str | None:
    """Return the digits that SAK dialled for a recipient in its list, or None if there are none."""
    try:
        return addresses.dialled(to)
    except addresses.RecipientError:
        return None


def _timestamp_ms(entry: SentListEntry) -> int | None:
    return times.to_ms(entry.created_at)


def _result_from_entry(entry: SentListEntry, send: Send) -> SendResult | None:
    """Return the result in an entry, or None if it is ambiguous."""
    if entry.status in ("sent", "delivered", "read"):
        return gateway_results.from_response(SendResponse("sent", entry.message_id))
    if entry.status == "queued":
        return gateway_results.from_response(SendResponse("queued", entry.message_id))
    duration_ms = max((_timestamp_ms(entry) or 0) - send.timestamp, send.duration_ms or 0)
    if entry.status != "failed" or duration_ms >= _AMBIGUOUS_FAILURE_MS:
        return None
    return gateway_results.from_response(SendResponse("failed", None, "its list has it as failed"))
