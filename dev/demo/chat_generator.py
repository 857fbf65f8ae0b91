"""What the demo's people write, as the events that a real gateway would send: flat, one try, not always in order."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from dev.demo import personas

Event: TypeAlias = dict[str, Any]

HISTORY = 40
HISTORY_SECONDS = 3 * 86400
PHONE_KNOWN_AFTER = 12
"""After so many live turns the private identity shows its phone."""
NOISE = ("senderKeyDistributionMessage", "reactionMessage", "protocolMessage", "ephemeralMessage")
TURNS = (("message", 78), ("again", 6), ("out of order", 6), ("undecrypted", 4), ("noise", 4), ("status", 2))
"""What a turn can be, and how often in a hundred."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One event, and how many seconds after the previous one it comes."""

    after: float
    event: Event


class Chatter:
    """The same seed and times give the same events, ids included."""

    def __init__(self, seed: str, session_id: str) -> None:
        self._random = random.Random(seed)
        self._session_id = session_id
        self._phone_known = False

    def history(self, until: int) -> list[Event]:
        """The last days up to `until` (seconds since 1970), shuffled and some of it twice, as after a reconnect."""
        moments = sorted(until - self._random.randrange(60, HISTORY_SECONDS) for _ in range(HISTORY))
        everybody = [*personas.PEOPLE, personas.STRANGER]
        crowd = everybody + [self._somebody() for _ in moments[len(everybody) :]]
        self._random.shuffle(crowd)
        events = [self._message(person, moment) for person, moment in zip(crowd, moments, strict=True)]
        again = self._random.sample(events, 4)
        undecrypted, resent = self._undecrypted(until - 3600)
        events += [*again, undecrypted, resent]
        self._random.shuffle(events)
        return events

    def live(self, clock: Iterator[int]) -> Iterator[Turn]:
        """Endless talk, a turn every one to three seconds; `clock` tells the seconds since 1970 of each turn."""
        recent: list[Event] = []
        for number, now in enumerate(clock, start=1):
            self._phone_known = number > PHONE_KNOWN_AFTER
            pause = self._random.uniform(1.0, 3.0)
            first, *rest = self._turn(number, now, recent)
            yield Turn(pause, first)
            for event in rest:
                yield Turn(self._random.uniform(0.1, 0.8), event)
            recent = [*recent, first][-8:]

    def reply(self, to: str, now: int) -> Turn:
        """What the person with this number answers to what was sent to them, and after how many seconds."""
        text = self._random.choice(personas.REPLIES)
        jid = f"{to}@s.whatsapp.net"
        name = next((person.name for person in (*personas.PEOPLE, personas.KNOWN) if person.jid == jid), None)
        after = self._random.uniform(2.0, 5.0)
        return Turn(after, self._flat(jid, name, now + round(after), "conversation", text))

    def _turn(self, number: int, now: int, recent: list[Event]) -> list[Event]:  # noqa: PLR0911 -- a table, one row a turn
        if number in (1, PHONE_KNOWN_AFTER + 1):
            return [self._message(personas.KNOWN if self._phone_known else personas.STRANGER, now)]
        kinds, weights = zip(*TURNS, strict=True)
        match self._random.choices(kinds, weights)[0]:
            case "again" if recent:
                return [self._random.choice(recent)]
            case "out of order":
                person = self._somebody()
                return [self._message(person, now), self._message(person, now - self._random.randrange(5, 90))]
            case "undecrypted":
                return self._undecrypted(now)
            case "noise":
                return [self._flat(personas.ASHA.jid, None, now, self._random.choice(NOISE), "")]
            case "status":
                return [self._flat("status@broadcast", None, now, "imageMessage", "")]
            case _:
                return [self._message(self._somebody(), now)]

    def _somebody(self) -> personas.Person:
        crowd = (*personas.PEOPLE, personas.KNOWN if self._phone_known else personas.STRANGER)
        return self._random.choices(crowd, [person.weight for person in crowd])[0]

    def _message(self, person: personas.Person, moment: int) -> Event:
        if person.media and self._random.random() < 0.25:
            return self._flat(person.jid, person.name, moment, self._random.choice(person.media), "")
        kind = self._random.choice(("conversation", "conversation", "extendedTextMessage"))
        # A name comes only if the gateway knows it.
        name = person.name if self._random.random() < 0.8 else None
        return self._flat(person.jid, name, moment, kind, self._random.choice(person.lines))

    def _undecrypted(self, moment: int) -> list[Event]:
        """A message that came empty, and its resend with the same id."""
        empty = self._flat(personas.ZOYA.jid, None, moment, None, "")
        text = self._random.choice(personas.ZOYA.lines)
        full = self._flat(personas.ZOYA.jid, personas.ZOYA.name, moment, "conversation", text)
        return [empty, full | {"messageId": empty["messageId"]}]

    def _flat(self, jid: str, name: str | None, moment: int, kind: str | None, text: str) -> Event:
        """Keys and their order as SAK's code writes them."""
        event: Event = {
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
            event["from_lid"] = personas.LID
        if name is not None:
            event["pushName"] = name
        return event
