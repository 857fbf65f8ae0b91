"""Compares a send that nobody knows the end of with SAK's own list of what was sent through its API.

SAK's list has number, type, time and what was answered; no text. So a send is settled only if exactly one entry can
be meant by it, and it is the only send that can be meant by that entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api.gateway import errors, phone_number
from api.gateway.payloads import Past, Sent
from api.http.errors import Refusal
from api.sending import outbox
from api.sending.outbox import Outbox
from store.sending import unsettled
from store.sending.sends import Result, Send

BEFORE, AFTER = 60_000, 120_000
"""How far, in ms, SAK's time of a message may lie before ours (its clock) and after it (its clock, and its 45 s)."""
_PAGE, _PAGES = 100, 10
"""At most a tenth of what SAK allows in a minute."""
_DOUBT = 20_000
"""SAK calls failed what it gave up waiting for: after so many ms its `failed` is no knowledge."""


@dataclass(frozen=True, slots=True)
class Verdict:
    send: Send
    """As it is now."""
    settled: bool
    explanation: str


def settle(sending: Outbox, send: Send) -> Verdict:
    """Look the send up at SAK and write down what is certain; raises Refusal if SAK does not tell."""
    if send.state == "accepted":
        return Verdict(send, settled=False, explanation="SAK is just being asked.")
    if send.state not in ("unknown", "queued"):
        return Verdict(send, settled=True, explanation="Its end is known.")
    try:
        past = _past(sending, send)
    except errors.SakError as error:
        raise Refusal(502, "sak_unavailable", f"SAK does not show its list: {error}.") from error
    if send.state == "queued":
        there = any(one.message_id == send.gateway_id for one in past)
        return Verdict(send, settled=False, explanation=_QUEUED if there else _NOT_QUEUED)
    found = _only(sending, send, [one for one in past if _fits(one, send)])
    if isinstance(found, str):
        return Verdict(send, settled=False, explanation=found)
    explanation = f"SAK's list has exactly one entry that can be meant: {found.state}."
    return Verdict(sending.complete(send, found), settled=True, explanation=explanation)


_QUEUED = (
    "SAK queued it, and its list says so for ever: the queue is in SAK's memory, drops it after three tries, and "
    "nothing ties its number to WhatsApp's. If it goes out, it is a message of its own."
)
_NOT_QUEUED = "SAK said that it queued it, and its list has no entry for it."
_NONE = "SAK's list has no entry for it, which does not prove that it was not sent."
_GAVE_UP = "SAK calls it failed, which it also says when it only gave up waiting: it may have gone out."


def _only(sending: Outbox, send: Send, fitting: Sequence[Past]) -> Result | str:
    """What the one entry says that can be meant, or why there is none."""
    with sending.pool.connection() as connection:
        taken = unsettled.taken(connection, send, [one.message_id for one in fitting if one.message_id])
        entries = [one for one in fitting if one.message_id not in taken]
        if not entries:
            return _NONE
        if len(entries) > 1:
            return f"SAK's list has {len(entries)} entries that could be meant, and no text."
        others = unsettled.alike(connection, send, entries[0].status, BEFORE + AFTER)
    if others:
        return f"SAK's list has one entry, which {others} other sends like it could have made as well."
    return _result(entries[0], send) or _GAVE_UP


def _past(sending: Outbox, send: Send) -> list[Past]:
    """SAK's list, newest first, back to before the send."""
    found: list[Past] = []
    for page in range(_PAGES):
        part = sending.client.history(_PAGE, page * _PAGE, send.session_id)
        found += part
        times = [at for at in map(_time, part) if at is not None]
        if len(part) < _PAGE or (times and min(times) < send.timestamp - BEFORE):
            break
    return found


def _fits(one: Past, send: Send) -> bool:
    at = _time(one)
    return (
        at is not None
        and send.timestamp - BEFORE <= at <= send.timestamp + AFTER
        and one.type == send.kind
        and _number(one.to) == send.address
    )


def _number(to: str) -> str | None:
    try:
        return phone_number.normalise_to(to)
    except phone_number.InvalidRecipientError:
        return None


def _time(one: Past) -> int | None:
    """In ms; a time without an offset is UTC."""
    try:
        at = datetime.fromisoformat(one.created_at)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _result(one: Past, send: Send) -> Result | None:
    """What an entry says of the send; None if even that is not certain."""
    if one.status in ("sent", "delivered", "read"):
        return outbox.of_answer(Sent("sent", one.message_id))
    if one.status == "queued":
        return outbox.of_answer(Sent("queued", one.message_id))
    late = (_time(one) or 0) - send.timestamp >= _DOUBT or (send.lasted or 0) >= _DOUBT
    if one.status != "failed" or late:
        return None
    return outbox.of_answer(Sent("failed", None, "failed", "SAK's list says that it failed"))
