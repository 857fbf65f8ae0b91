"""Generates the demo's messages as events of a real gateway: flat, sent once, and not always in order."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from dev.demo import personas

WebhookEvent: TypeAlias = dict[str, Any]

HISTORY_EVENTS = 40
HISTORY_SECONDS = 3 * 86400
PHONE_REVEALED_AFTER = 12
"""The number of live turns after which the phone of the private identity becomes known."""
NOISE_TYPES = ("pollUpdateMessage", "reactionMessage", "protocolMessage", "ephemeralMessage")
EVENT_KINDS = (("message", 78), ("again", 6), ("out of order", 6), ("undecrypted", 4), ("noise", 4), ("status", 2))
"""The kinds of turns and their frequency in percent."""


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event, and the seconds between it and the previous one."""

    delay_seconds: float
    event: WebhookEvent


class ChatGenerator:
    """A generator of events. The same seed and times give the same events, including their ids."""

    def __init__(self, seed: str, session_id: str) -> None:
        self._random = random.Random(seed)
        self._session_id = session_id
        self._phone_known = False

    def past_events(self, until: int) -> list[WebhookEvent]:
        """Return the events of the last days up to `until` (seconds since 1970).

        They are shuffled and partly repeated, as after a reconnect.
        """
        moments = sorted(until - self._random.randrange(60, HISTORY_SECONDS) for _ in range(HISTORY_EVENTS))
        everybody = [*personas.PERSONAS, personas.PRIVATE_SENDER]
        people = everybody + [self._random_persona() for _ in moments[len(everybody) :]]
        self._random.shuffle(people)
        events = [self._message_event(person, moment) for person, moment in zip(people, moments, strict=True)]
        again = self._random.sample(events, 4)
        undecrypted, resent = self._undecrypted_then_resent(until - 3600)
        events += [*again, undecrypted, resent]
        self._random.shuffle(events)
        return events

    def live_events(self, clock: Iterator[int]) -> Iterator[TimedEvent]:
        """Yield endless conversation, with a turn every one to three seconds.

        `clock` returns the seconds since 1970.
        """
        recent: list[WebhookEvent] = []
        for number, now in enumerate(clock, start=1):
            self._phone_known = number > PHONE_REVEALED_AFTER
            pause = self._random.uniform(1.0, 3.0)
            first, *rest = self._next_events(number, now, recent)
            yield TimedEvent(pause, first)
            for event in rest:
                yield TimedEvent(self._random.uniform(0.1, 0.8), event)
            recent = [*recent, first][-8:]

    def reply(self, to: str, now: int) -> TimedEvent:
        """Return the reply of the person with this number to a message, and after how many seconds it comes."""
        text = self._random.choice(personas.REPLIES)
        jid = f"{to}@s.whatsapp.net"
        name = next(
            (person.name for person in (*personas.PERSONAS, personas.REVEALED_SENDER) if person.jid == jid), None
        )
        after = self._random.uniform(2.0, 5.0)
        return TimedEvent(after, self._flat_event(jid, name, now + round(after), "conversation", text))

    def _next_events(self, number: int, now: int, recent: list[WebhookEvent]) -> list[WebhookEvent]:  # noqa: PLR0911 -- a table, one row a turn
        if number in (1, PHONE_REVEALED_AFTER + 1):
            return [
                self._message_event(personas.REVEALED_SENDER if self._phone_known else personas.PRIVATE_SENDER, now)
            ]
        kinds, weights = zip(*EVENT_KINDS, strict=True)
        match self._random.choices(kinds, weights)[0]:
            case "again" if recent:
                return [self._random.choice(recent)]
            case "out of order":
                person = self._random_persona()
                return [
                    self._message_event(person, now),
                    self._message_event(person, now - self._random.randrange(5, 90)),
                ]
            case "undecrypted":
                return self._undecrypted_then_resent(now)
            case "noise":
                return [self._flat_event(personas.ASHA.jid, None, now, self._random.choice(NOISE_TYPES), "")]
            case "status":
                return [self._flat_event("status@broadcast", None, now, "imageMessage", "")]
            case _:
                return [self._message_event(self._random_persona(), now)]

    def _random_persona(self) -> personas.Persona:
        people = (*personas.PERSONAS, personas.REVEALED_SENDER if self._phone_known else personas.PRIVATE_SENDER)
        return self._random.choices(people, [person.weight for person in people])[0]

    def _message_event(self, person: personas.Persona, moment: int) -> WebhookEvent:
        if person.media_types and self._random.random() < 0.25:
            return self._flat_event(person.jid, person.name, moment, self._random.choice(person.media_types), "")
        kind = self._random.choice(("conversation", "conversation", "extendedTextMessage"))
        # The event has a name only if the gateway knows it.
        name = person.name if self._random.random() < 0.8 else None
        return self._flat_event(person.jid, name, moment, kind, self._random.choice(person.lines))

    def _undecrypted_then_resent(self, moment: int) -> list[WebhookEvent]:
        """Return a message that arrived empty, and its resend with the same id."""
        empty = self._flat_event(personas.ZOYA.jid, None, moment, None, "")
        text = self._random.choice(personas.ZOYA.lines)
        full = self._flat_event(personas.ZOYA.jid, personas.ZOYA.name, moment, "conversation", text)
        return [empty, full | {"messageId": empty["messageId"]}]

    def _flat_event(self, jid: str, name: str | None, moment: int, kind: str | None, text: str) -> WebhookEvent:
        """Return an event with keys in the order that SAK writes them."""
        event: WebhookEvent = {
            "event": "message.received",
            "sessionId": self._session_id,
            "from": jid,
            "from_jid": jid,
            "messageId": f"3EB0{self._random.getrandbits(64):016X}",
            "timestamp": moment,
        }
        if kind is not None:
            event["type"] = kind
        event["text"] = text
        user, _, server = jid.partition("@")
        if server == "s.whatsapp.net":
            event |= {"wa_id": user, "from_number": f"+{user}"}
        elif server == "lid":
            event |= {"wa_id": user, "from_number": user, "from_lid": jid}
        if user == personas.LID_PHONE:
            event["from_lid"] = personas.PRIVATE_LID
        if name is not None:
            event["pushName"] = name
        return event
