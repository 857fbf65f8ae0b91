"""Generates signed webhooks in SAK's format, 350 bytes each, all different."""

import hmac
import secrets
from dataclasses import dataclass, field

PATH = "/whatsapp-webhook"
SECRET = "5a4b0c0ffee00000000000000000000000000000000000000000000000000bench"  # noqa: S105 - made up
SESSION = "11111111-2222-4333-8444-555555555555"
BODY_BYTES = 350
CHAT_COUNT = 500
_START_SECONDS = 1_734_621_000
_HMAC = hmac.new(SECRET.encode(), digestmod="sha256")
_BODY = (
    b'{"event":"message.received","sessionId":"%b","from":"%b@s.whatsapp.net","from_jid":"%b@s.whatsapp.net",'
    b'"messageId":"3EB0%b%08X","timestamp":%d,"type":"conversation","text":"%b","wa_id":"%b","from_number":"+%b",'
    b'"pushName":"Asha"}'
)
_REQUEST = (
    b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Webhook-Event: message.received\r\n"
    b"X-Webhook-Signature: sha256=%b\r\nUser-Agent: axios/1.7.9\r\nContent-Length: %d\r\n\r\n%b"
)


@dataclass(frozen=True, slots=True)
class SampleSenders:
    """Senders who write in turn. Two objects produce different events."""

    id_prefix: str = field(default_factory=lambda: secrets.token_hex(4).upper())
    """8 hexadecimal digits, part of each message id."""
    chat_count: int = CHAT_COUNT

    def phone(self, number: int) -> bytes:
        """Return the phone of the sender of the event with this number."""
        return b"9198%08d" % (number % self.chat_count)

    def body(self, number: int, text: bytes | None = None) -> bytes:
        """Return the body of the event with this number. The default text is padded to BODY_BYTES."""
        phone = self.phone(number)
        words = b"No %d " % number if text is None else text
        seconds = _START_SECONDS + number // 20
        names = (SESSION.encode(), phone, phone, self.id_prefix.encode())
        body = _BODY % (*names, number, seconds, words, phone, phone)
        missing = BODY_BYTES - len(body)
        if text is not None or missing <= 0:
            return body
        return body.replace(words, words + (b"is my order on its way? " * 9)[:missing], 1)


def signature(body: bytes) -> bytes:
    keyed = _HMAC.copy()
    keyed.update(body)
    return keyed.hexdigest().encode()


def encode_request(body: bytes, path: str = PATH) -> bytes:
    """Return the whole HTTP request."""
    return _REQUEST % (path.encode(), signature(body), len(body), body)
