"""Made-up events of the gateway, each different from all others, the same ones for the same seed.

The shapes are those of SAK's real and documented webhooks; the mix has what makes order and repetition matter.
"""

import hashlib
import hmac
import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

SECRET = "5ec4e7" * 8
SESSION = "33333333-4444-4555-8666-777777777777"
EPOCH = 1_760_000_000
"""When the story begins, in s; what it tells is in the past and after 2009, so its times are believed."""
PEOPLE = 60
WORDS = ("order", "price", "कीमत", "شكرا", "thanks", "tomorrow", "😀", "stock", "invoice", "yes", "no", "please")
RESENT = 0.3
"""How likely the next event is the content of one that came empty, while there are any."""
STATUSES = ("sent", "delivered", "read", "played")


def sign(body: bytes) -> str:
    """The signature header's value."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


class Story:
    """An endless iterator of bodies."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._prefix = f"{seed & 0xFFFFFF:06X}"
        self._numbers = itertools.count(1)
        self._told = [b""] * 500
        self._answers: list[str] = []
        self._later: list[bytes] = []
        self._kinds: Mapping[Callable[[int], bytes], int] = {
            self._text: 67,
            self._image: 8,
            self._answer: 8,
            self._ack: 6,
            self._again: 4,
            self._undecrypted: 3,
            self._noise: 2,
            self._ping: 1,
            self._unheard_of: 1,
        }

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        number = next(self._numbers)
        if self._later and self._random.random() < RESENT:
            body = self._later.pop(0)
        else:
            [kind] = self._random.choices(list(self._kinds), weights=list(self._kinds.values()))
            body = kind(number)
        self._told[number % len(self._told)] = body
        return body

    def take(self, count: int) -> list[bytes]:
        """The next ones."""
        return list(itertools.islice(self, count))

    def _text(self, number: int) -> bytes:
        return self._received(number, type="conversation", text=self._words(number))

    def _image(self, number: int) -> bytes:
        return self._received(number, type="imageMessage", text="")

    def _noise(self, number: int) -> bytes:
        return self._received(number, type="senderKeyDistributionMessage", text="")

    def _unheard_of(self, number: int) -> bytes:
        return _body(event="billing.updated", sessionId=SESSION, id=self._id(number))

    def _again(self, number: int) -> bytes:
        """A copy, byte by byte, of something told before."""
        return self._random.choice(self._told) or self._text(number)

    def _received(self, number: int, **fields: str) -> bytes:
        digits = self._person()
        return _body(
            event="message.received",
            sessionId=SESSION,
            **{"from": f"{digits}@s.whatsapp.net"},
            from_jid=f"{digits}@s.whatsapp.net",
            messageId=self._id(number),
            timestamp=EPOCH + number // 7,
            **fields,
            wa_id=digits,
            from_number=f"+{digits}",
            pushName=f"Guest {digits[-2:]} {number % 3}",
        )

    def _undecrypted(self, number: int) -> bytes:
        """Comes empty at first; what it said follows later, under the same id."""
        empty = json.loads(self._received(number, text=""))
        self._later.append(_body(**(empty | {"type": "conversation", "text": self._words(number)})))
        return _body(**empty)

    def _answer(self, number: int) -> bytes:
        message_id = self._id(number)
        self._answers.append(message_id)
        message = {"id": message_id, "text": self._words(number), "timestamp": (EPOCH + number // 7) * 1000}
        data = {"to": self._person(), "message": message, "status": "sent"}
        return _body(event="message.sent", sessionId=SESSION, data=data)

    def _ack(self, number: int) -> bytes:
        if not self._answers:
            return self._answer(number)
        return _body(
            event="message.status",
            sessionId=SESSION,
            messageId=self._random.choice(self._answers[-200:]),
            status=self._random.choice(STATUSES),
            timestamp=EPOCH + number,
        )

    def _ping(self, number: int) -> bytes:
        at = datetime.fromtimestamp(EPOCH + number, UTC).isoformat()
        return _body(event="message.received", sessionId=SESSION, timestamp=at, test=True, text="SAK webhook live test")

    def _person(self) -> str:
        return f"9198110{self._random.randrange(PEOPLE):05d}"

    def _id(self, number: int) -> str:
        return f"3EB0{self._prefix}{number:08X}"

    def _words(self, number: int) -> str:
        return f"{' '.join(self._random.choices(WORDS, k=4))} {number}"


def _body(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
