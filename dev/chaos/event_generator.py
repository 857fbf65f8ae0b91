"""Generates gateway events, which are all different, and the same for the same seed.

They have the shapes of SAK's real and documented webhooks. The mix includes events for which order and repetition
matter.
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
START_SECONDS = 1_760_000_000
"""The Unix time of the first event: in the past and after 2009, so that the parser accepts it."""
PERSON_COUNT = 60
WORDS = ("order", "price", "कीमत", "شكرا", "thanks", "tomorrow", "😀", "stock", "invoice", "yes", "no", "please")
RESEND_PROBABILITY = 0.3
"""The probability that the next event is the content of a message that arrived empty, if there is one."""
STATUSES = ("sent", "delivered", "read", "played")


def sign(body: bytes) -> str:
    """Return the value of the signature header."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


class EventGenerator:
    """An endless iterator over bodies."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._prefix = f"{seed & 0xFFFFFF:06X}"
        self._numbers = itertools.count(1)
        self._recent_bodies = [b""] * 500
        self._sent_ids: list[str] = []
        self._late_contents: list[bytes] = []
        self._kinds: Mapping[Callable[[int], bytes], int] = {
            self._text_event: 67,
            self._image_event: 8,
            self._sent_event: 8,
            self._ack_event: 6,
            self._repeated_event: 4,
            self._undecrypted_event: 3,
            self._noise_event: 2,
            self._ping_event: 1,
            self._unknown_event: 1,
        }

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        number = next(self._numbers)
        if self._late_contents and self._random.random() < RESEND_PROBABILITY:
            body = self._late_contents.pop(0)
        else:
            [kind] = self._random.choices(list(self._kinds), weights=list(self._kinds.values()))
            body = kind(number)
        self._recent_bodies[number % len(self._recent_bodies)] = body
        return body

    def take(self, count: int) -> list[bytes]:
        """Return the next bodies."""
        return list(itertools.islice(self, count))

    def _text_event(self, number: int) -> bytes:
        return self._received_event(number, type="conversation", text=self._random_text(number))

    def _image_event(self, number: int) -> bytes:
        return self._received_event(number, type="imageMessage", text="")

    def _noise_event(self, number: int) -> bytes:
        return self._received_event(number, type="protocolMessage", text="")

    def _unknown_event(self, number: int) -> bytes:
        return _encode(event="billing.updated", sessionId=SESSION, id=self._message_id(number))

    def _repeated_event(self, number: int) -> bytes:
        """Return an exact copy of an earlier event."""
        return self._random.choice(self._recent_bodies) or self._text_event(number)

    def _received_event(self, number: int, **fields: str) -> bytes:
        digits = self._random_phone()
        return _encode(
            event="message.received",
            sessionId=SESSION,
            **{"from": f"{digits}@s.whatsapp.net"},
            from_jid=f"{digits}@s.whatsapp.net",
            messageId=self._message_id(number),
            timestamp=START_SECONDS + number // 7,
            **fields,
            wa_id=digits,
            from_number=f"+{digits}",
            pushName=f"Guest {digits[-2:]} {number % 3}",
        )

    def _undecrypted_event(self, number: int) -> bytes:
        """Return a message that arrives empty at first. Its content follows later with the same id."""
        empty = json.loads(self._received_event(number, text=""))
        self._late_contents.append(_encode(**(empty | {"type": "conversation", "text": self._random_text(number)})))
        return _encode(**empty)

    def _sent_event(self, number: int) -> bytes:
        message_id = self._message_id(number)
        self._sent_ids.append(message_id)
        message = {
            "id": message_id,
            "text": self._random_text(number),
            "timestamp": (START_SECONDS + number // 7) * 1000,
        }
        data = {"to": self._random_phone(), "message": message, "status": "sent"}
        return _encode(event="message.sent", sessionId=SESSION, data=data)

    def _ack_event(self, number: int) -> bytes:
        if not self._sent_ids:
            return self._sent_event(number)
        return _encode(
            event="message.status",
            sessionId=SESSION,
            messageId=self._random.choice(self._sent_ids[-200:]),
            status=self._random.choice(STATUSES),
            timestamp=START_SECONDS + number,
        )

    def _ping_event(self, number: int) -> bytes:
        at = datetime.fromtimestamp(START_SECONDS + number, UTC).isoformat()
        return _encode(
            event="message.received", sessionId=SESSION, timestamp=at, test=True, text="SAK webhook live test"
        )

    def _random_phone(self) -> str:
        return f"9198110{self._random.randrange(PERSON_COUNT):05d}"

    def _message_id(self, number: int) -> str:
        return f"3EB0{self._prefix}{number:08X}"

    def _random_text(self, number: int) -> str:
        return f"{' '.join(self._random.choices(WORDS, k=4))} {number}"


def _encode(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
