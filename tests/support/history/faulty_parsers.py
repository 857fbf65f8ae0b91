"""Provides parsers with one deliberate mistake each, as in versions before a fix."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from store.model.facts import Ack, DisplayName, Fact, LidAlias, Message, Outcome, SessionReport
from tests.support.generated_history import world
from worker.senders.sak import parser

FaultyParser: TypeAlias = Callable[[bytes], Outcome]


def parse_correctly(body: bytes) -> Outcome:
    return parser.parse(body).outcome


def _is_selected(body: bytes, one_in: int) -> bool:
    return hashlib.md5(body).digest()[0] % one_in == 0  # Deterministic, so that all copies get the same result.


def _change_facts(change: Callable[[Fact], Fact], many: int = 3) -> FaultyParser:
    def read(body: bytes) -> Outcome:
        outcome = parse_correctly(body)
        return replace(outcome, facts=tuple(map(change, outcome.facts))) if _is_selected(body, many) else outcome

    return read


def _shift_time(fact: Fact) -> Fact:
    """Return the fact in a wrong time zone. Its time is still plausible."""
    if fact.time is None or not world.BASE_TIME <= fact.time <= world.BASE_TIME + world.HOUR:
        return fact
    return replace(fact, time=fact.time + 3 * world.HOUR)


def _change_type(fact: Fact) -> Fact:
    return replace(fact, type="document", raw_type="misread") if isinstance(fact, Message) else fact


def _change_name(fact: Fact) -> Fact:
    return replace(fact, name=fact.name + "!") if isinstance(fact, DisplayName) else fact


def _change_chat(fact: Fact) -> Fact:
    """Return the fact in a wrong chat. A message and its updates are in the same one."""
    if isinstance(fact, LidAlias | SessionReport) or fact.address is None:
        return fact
    return replace(fact, address="919899999999")


def _change_message_id(fact: Fact) -> Fact:
    if isinstance(fact, LidAlias | SessionReport | DisplayName) or fact.message_id is None:
        return fact
    return replace(fact, message_id=fact.message_id.lower())


def _flip_direction(fact: Fact) -> Fact:
    if not isinstance(fact, Message):
        return fact
    return replace(fact, direction="outgoing" if fact.direction == "incoming" else "incoming")


def _change_alias(fact: Fact) -> Fact:
    return replace(fact, phone="919899999998") if isinstance(fact, LidAlias) else fact


def _change_session_state(fact: Fact) -> Fact:
    if not isinstance(fact, SessionReport):
        return fact
    return replace(fact, state="logged_out", phone="919899999997")


def _change_ack_status(fact: Fact) -> Fact:
    return replace(fact, status="played") if isinstance(fact, Ack) else fact


def _park_some(body: bytes) -> Outcome:
    outcome = parse_correctly(body)
    if outcome.kind != "stored" or not _is_selected(body, 3):
        return outcome
    return replace(outcome, kind="parked", reason="unknown_event", facts=())


def _ignore_some(body: bytes) -> Outcome:
    outcome = parse_correctly(body)
    if outcome.kind != "stored" or not _is_selected(body, 3):
        return outcome
    return replace(outcome, kind="noise", reason="misread", facts=())


def _invent_messages(body: bytes) -> Outcome:
    """Return messages for events that are noise or cannot be understood."""
    outcome = parse_correctly(body)
    if outcome.kind not in ("noise", "parked"):
        return outcome
    digest = hashlib.sha256(body).hexdigest()
    message = Message("919811000001", "incoming", f"N{digest[:8]}", world.BASE_TIME, "text", None, "complete", digest)
    return Outcome("stored", None, world.SESSIONS[0], "message.received", None, (message,))


def _change_session(body: bytes) -> Outcome:
    outcome = parse_correctly(body)
    if outcome.session_id is None or not _is_selected(body, 3):
        return outcome
    return replace(outcome, session_id=world.SESSIONS[1])


FAULTY_PARSERS: Final[Mapping[str, FaultyParser]] = {
    "wrong times": _change_facts(_shift_time),
    "wrong types": _change_facts(_change_type),
    "wrong names": _change_facts(_change_name, 2),
    "wrong chats": _change_facts(_change_chat),
    "wrong ids": _change_facts(_change_message_id),
    "wrong directions": _change_facts(_flip_direction),
    "wrong evidence": _change_facts(_change_alias, 2),
    "wrong sessions' states": _change_facts(_change_session_state, 2),
    "wrong acks": _change_facts(_change_ack_status, 2),
    "not understood": _park_some,
    "taken for noise": _ignore_some,
    "taken for messages": _invent_messages,
    "of another session": _change_session,
}
