"""Provides HTTP requests of all kinds of senders: recorded, signed and forged."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import jwt

from environment.sender_kinds import KINDS
from tests.support.senders import sender_payloads
from tests.support.senders.chat_actions import OURS

SENDERS: Final = ("meta", "waha", "openwa", "gowa", "evolution", "wuzapi")
_VERIFY_TOKEN: Final = "made-up-verify-token-7"
_STATIC_SECRETS: Final = {"made-up-static-token-2b": "X-Hook-Token: made-up-static-token-2b"}


@dataclass(frozen=True, slots=True)
class SenderRequest:
    kind: str
    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    expect: dict[str, Any]


def lines_of(kind: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (sender_payloads.FOLDER / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def load_requests() -> Iterator[SenderRequest]:
    for kind in SENDERS:
        for line in lines_of(kind):
            headers: dict[str, str] = line["headers"]
            if "jwt" in line:
                claims = line["jwt"]["claims"] | {"iat": int(time.time()), "exp": int(time.time()) + 600}
                encoded = jwt.encode(claims, line["jwt"]["signed_with"], "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
                headers = {name: value.replace("{jwt}", encoded) for name, value in headers.items()}
            query = f"?{line['query']}" if "query" in line else ""
            path = f"/webhooks/{kind}-shop{query}"
            body = line["body"].encode()
            yield SenderRequest(kind, line["name"], line.get("method", "POST"), path, headers, body, line["expect"])


def write_senders(folder: Path) -> None:
    """Write a sender of each kind with the secrets of its requests."""
    sections: list[str] = []
    for kind in SENDERS:
        secrets = dict.fromkeys(line["secret"] for line in lines_of(kind) if line["secret"] != _VERIFY_TOKEN)
        listed = json.dumps([_STATIC_SECRETS.get(secret, secret) for secret in secrets])
        token = f'verify_token = "{_VERIFY_TOKEN}"\n' if kind == "meta" else ""
        account = f'account = "{OURS}"\n'
        sections.append(f'[{kind}-shop]\nkind = "{kind}"\nsecrets = {listed}\n{token}{account}')
    (folder / "senders.toml").write_text("\n".join(sections), encoding="utf-8")


def sign(kind: str, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers with which a sender of this kind authenticates a body."""
    scheme = KINDS[kind]
    if scheme.algorithm == "jwt":
        claims = {"iat": int(time.time()), "exp": int(time.time()) + 600}
        signature = jwt.encode(claims, secret, "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
    else:
        digest = hashlib.sha512 if scheme.algorithm == "sha512" else hashlib.sha256
        signature = hmac.new(secret.encode(), body, digest).hexdigest()
    content_type = "application/x-www-form-urlencoded" if kind == "wuzapi" else "application/json"
    return {"Content-Type": content_type, scheme.header: f"{scheme.prefix}{signature}"}


def secret_of(kind: str) -> str:
    return next(line["secret"] for line in lines_of(kind) if line["secret"] not in (_VERIFY_TOKEN, *_STATIC_SECRETS))


def forgeries(webhooks: Sequence[SenderRequest]) -> Iterator[SenderRequest]:
    """Yield requests of each kind without a signature, with that of another secret or body, and with another kind's."""
    for kind in SENDERS:
        webhook = next(each for each in webhooks if each.kind == kind)
        headers = [{}, sign(kind, webhook.body, "made-up-and-wrong-0123456789abcdef")]
        if KINDS[kind].algorithm == "jwt":
            expired = jwt.encode({"exp": int(time.time()) - 600}, secret_of(kind), "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
            headers += [{"Authorization": f"Bearer {expired}"}, {"X-Hook-Token": "made-up-and-wrong"}]
        else:
            headers.append(sign(kind, webhook.body + b" ", secret_of(kind)))
        yield from (replace(webhook, headers=each) for each in headers)
        yield from (replace(webhook, path=f"/webhooks/{other}-shop") for other in SENDERS if other != kind)


def signed(kind: str, body: bytes) -> SenderRequest:
    """Return a webhook of this kind with this body."""
    return SenderRequest(kind, "", "POST", f"/webhooks/{kind}-shop", sign(kind, body, secret_of(kind)), body, {})
