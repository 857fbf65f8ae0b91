"""Builds webhooks of every kind of sender with hostile messages, signed as the gateway signs them."""

import hashlib
import hmac
import json
import time
from urllib.parse import parse_qsl, urlencode

import jwt

from environment.sender_kinds import KINDS
from tests.support.processes.running_system import message_webhook
from tests.support.senders import sender_payloads

KEY = "a-key-made-up-for-tests-0123456789abcdef"
SENDERS_TOML = "".join(f'[{kind}]\nkind = "{kind}"\nsecrets = ["{KEY}"]\n' for kind in KINDS)
"""One sender of each kind, named after the kind."""
CUSTOMER = "919811000001"
_MARK = "the text of this message"
_MAX_BODY_BYTES = 1 << 20
_FAR = "9999-12-31T23:59:59"
_TEXTS = (
    *("z" + "\u0301\u0316" * 32_000, "\ufdfa" * 65_536, "1 2 " * 16_384, "\U0001f600" * 65_000),
    *("\t" * 65_536, "\n" * 65_536, " " * 65_535 + "=", ",\u2028" * 32_000, "\u202e\u2066" * 20_000, "\u200d" * 65_536),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467" * 10_000, "@919811000002 " * 1_000, "*_~`" * 16_000, "```" * 20_000),
    *(
        "https://x.example/" + "." * 65_000 + "a",
        "<r>" + "&" * 65_000 + "</r>",
        "_x0041_" * 9_000,
        "\ufffe\uffff" * 9_000,
    ),
    "BEGIN:VCARD\nFN" + ";" * 60_000 + "\nEND:VCARD",
)
_LITERALS = (
    *(json.dumps(text, ensure_ascii=False) for text in _TEXTS),
    *('"\\u0000 \\ud800 \\udfff"', "9" * 5_000, "-1e999", "NaN", "null", '{"a":"b"}', "[" * 90 + "]" * 90),
    "[" * 20_000 + "]" * 20_000,
    '{"contextInfo":{"quotedMessage":{"extendedTextMessage":' * 25 + "{}" + "}}}" * 25,
)
"""JSON to put in place of a message's text."""


def headers(kind: str, body: bytes) -> dict[str, str]:
    """Return the headers that authenticate the body."""
    scheme = KINDS[kind]
    if scheme.algorithm == "jwt":
        proof = jwt.encode({"exp": int(time.time()) + 600}, KEY, "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
    else:
        proof = hmac.new(KEY.encode(), body, getattr(hashlib, scheme.algorithm)).hexdigest()
    return {scheme.header: scheme.prefix + proof}


def webhooks(kind: str) -> list[bytes]:
    """Return a webhook for each of the literals, one with a time in the far future, and an ordinary one.

    Webhooks that are too large in this kind's form are left out.
    """
    template, message_id = _template(kind)
    far = template.replace("1789000010", "253402300799").replace("2026-09-10T05:56:50", _FAR)
    far = far.replace("2026-09-10T00:26:50.250", _FAR)
    good = (far, json.dumps("the last moment")), (template, json.dumps(f"zebra by {kind}"))
    messages = [*((template, literal) for literal in _LITERALS), *good]
    bodies = [
        _written(kind, each.replace(message_id, f"3A{number:018X}"), literal)
        for number, (each, literal) in enumerate(messages)
    ]
    return [body for body in bodies if len(body) <= _MAX_BODY_BYTES]


def _template(kind: str) -> tuple[str, str]:
    """Return the JSON of a text message with `_MARK` as its text, and the id of the message."""
    if kind == "sak":
        document = json.loads(message_webhook(CUSTOMER, 1, _MARK))
        return json.dumps(document), document["messageId"]
    payload = next(
        each
        for each in sender_payloads.load(kind)
        if each.expect["kind"] == "message" and each.expect["type"] == "text" and each.expect["direction"] == "incoming"
    )
    body = payload.body.decode()
    text = body if body.startswith("{") else dict(parse_qsl(body))["jsonData"]
    written = json.dumps(payload.expect["text"])
    return json.dumps(json.loads(text)).replace(written, json.dumps(_MARK)), payload.expect["message_id"]


def _written(kind: str, template: str, literal: str) -> bytes:
    text = template.replace(json.dumps(_MARK), literal)
    return urlencode({"instanceName": "shop", "jsonData": text}).encode() if kind == "wuzapi" else text.encode()
