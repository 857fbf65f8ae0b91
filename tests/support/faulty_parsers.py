"""Parsers that misread: the real one with one deliberate mistake each, as versions before a fix would have made it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from store.model.facts import Ack, Alias, Fact, Message, Name, Outcome, SessionReport
from tests.support.generated_history import world
from worker.sak import parser

Misreading: TypeAlias = Callable[[bytes], Outcome]


def rightly(body: bytes) -> Outcome:
    return parser.read(body).outcome


def _one_in(body: bytes, many: int) -> bool:
    return hashlib.md5(body).digest()[0] % many == 0  # a die that falls the same way for every copy


def _each(change: Callable[[Fact], Fact], many: int = 3) -> Misreading:
    def read(body: bytes) -> Outcome:
        outcome = rightly(body)
        return replace(outcome, facts=tuple(map(change, outcome.facts))) if _one_in(body, many) else outcome

    return read


def _later(fact: Fact) -> Fact:
    """A time zone misunderstood; believable before as after."""
    if fact.time is None or not world.T0 <= fact.time <= world.T0 + world.HOUR:
        return fact
    return replace(fact, time=fact.time + 3 * world.HOUR)


def _as_document(fact: Fact) -> Fact:
    return replace(fact, type="document", raw_type="misread") if isinstance(fact, Message) else fact


def _misspelt(fact: Fact) -> Fact:
    return replace(fact, name=fact.name + "!") if isinstance(fact, Name) else fact


def _elsewhere(fact: Fact) -> Fact:
    """A chat misunderstood: the message, and what is said about it, stand in another one."""
    if isinstance(fact, Alias | SessionReport) or fact.address is None:
        return fact
    return replace(fact, address="919899999999")


def _other_id(fact: Fact) -> Fact:
    if isinstance(fact, Alias | SessionReport | Name) or fact.message_id is None:
        return fact
    return replace(fact, message_id=fact.message_id.lower())


def _by_us(fact: Fact) -> Fact:
    if not isinstance(fact, Message):
        return fact
    return replace(fact, direction="outgoing" if fact.direction == "incoming" else "incoming")


def _somebody_else(fact: Fact) -> Fact:
    return replace(fact, phone="919899999998") if isinstance(fact, Alias) else fact


def _off(fact: Fact) -> Fact:
    if not isinstance(fact, SessionReport):
        return fact
    return replace(fact, state="logged_out", phone="919899999997")


def _read_already(fact: Fact) -> Fact:
    return replace(fact, status="played") if isinstance(fact, Ack) else fact


def _not_understood(body: bytes) -> Outcome:
    outcome = rightly(body)
    if outcome.kind != "stored" or not _one_in(body, 3):
        return outcome
    return replace(outcome, kind="parked", reason="unknown_event", facts=())


def _taken_for_noise(body: bytes) -> Outcome:
    outcome = rightly(body)
    if outcome.kind != "stored" or not _one_in(body, 3):
        return outcome
    return replace(outcome, kind="noise", reason="misread", facts=())


def _taken_for_messages(body: bytes) -> Outcome:
    """Noise and riddles shown as messages."""
    outcome = rightly(body)
    if outcome.kind not in ("noise", "parked"):
        return outcome
    digest = hashlib.sha256(body).hexdigest()
    message = Message("919811000001", "incoming", f"N{digest[:8]}", world.T0, "text", None, "complete", digest)
    return Outcome("stored", None, world.SESSIONS[0], "message.received", None, (message,))


def _of_another_session(body: bytes) -> Outcome:
    outcome = rightly(body)
    if outcome.session_id is None or not _one_in(body, 3):
        return outcome
    return replace(outcome, session_id=world.SESSIONS[1])


MISREADINGS: Final[Mapping[str, Misreading]] = {
    "wrong times": _each(_later),
    "wrong types": _each(_as_document),
    "wrong names": _each(_misspelt, 2),
    "wrong chats": _each(_elsewhere),
    "wrong ids": _each(_other_id),
    "wrong directions": _each(_by_us),
    "wrong evidence": _each(_somebody_else, 2),
    "wrong sessions' states": _each(_off, 2),
    "wrong acks": _each(_read_already, 2),
    "not understood": _not_understood,
    "taken for noise": _taken_for_noise,
    "taken for messages": _taken_for_messages,
    "of another session": _of_another_session,
}
