"""Registers, moves and checks the webhooks of senders at their gateways."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import requests

from api.gateway import errors
from api.gateway.senders import webhook_apis
from api.gateway.senders.send_apis import SEND_APIS
from api.gateway.senders.sender_client import SenderClient
from api.gateway.senders.webhook_apis import WEBHOOK_APIS, SenderWebhook, WebhookApi, WebhookTarget
from environment.sender_kinds import STATIC_HEADER_PATTERN
from environment.senders_file import Sender

TIMEOUT_SECONDS: Final = 5.0
_INGEST_WAIT_SECONDS: Final = 3.0
"""The longest time in seconds to wait for ingest, which reads the senders again within one second."""

ActionResult: TypeAlias = tuple[bool, str]
"""True if an action or a check succeeded, and a sentence about it."""


def can_register(sender: Sender, sessions: Sequence[str]) -> bool:
    """Return whether the gateway has an interface for setting its webhooks."""
    api = WEBHOOK_APIS.get(sender.kind)
    has_address = sender.base_url is not None or (
        sender.kind in SEND_APIS and SEND_APIS[sender.kind].base_url is not None
    )
    return api is not None and has_address and sender.api_key is not None and bool(sessions or api.sessions)


def register(sender: Sender, url: str, sessions: Sequence[str], *, replace: bool) -> list[ActionResult]:
    """Make each of these sessions (default: all) post to the URL.

    With `replace`, a webhook that belongs to somebody else is replaced.
    """
    with _connected(sender, url) as gateway:
        results = [
            _attempt(session, lambda session=session: gateway.register(session, replace=replace))
            for session in gateway.sessions(sessions)
        ]
    return results or [(False, "the gateway has no session yet: link one, and run `senders register`.")]


def move(sender: Sender, url: str, sessions: Sequence[str]) -> list[ActionResult]:
    """Make each session that posts to the sender's path on any host post to the URL."""
    with _connected(sender, url) as gateway:
        results = [
            _attempt(session, lambda session=session, own=own: gateway.move(session, own))
            for session in gateway.sessions(sessions)
            if (own := gateway.webhook(session)) is not None
        ]
    return results or [(False, f"no session posts to an address of {sender.name}: `senders register` makes them.")]


def check(sender: Sender, url: str, sessions: Sequence[str]) -> list[ActionResult]:
    """Check that each session posts to the URL, and that a test event arrives if the gateway can send one."""
    results: list[ActionResult] = []
    with _connected(sender, url) as gateway:
        for session in gateway.sessions(sessions):
            own = gateway.webhook(session)
            results.append(_describe(session, own, url))
            if own is not None and own.url == url and gateway.api.test is not None:
                results.append(_attempt(session, lambda session=session, own=own: gateway.test(session, own)))
    return results


def check_ingest(url: str) -> ActionResult:
    """Check that ingest knows the sender.

    If so, ingest responds to an unsigned webhook with 401, otherwise with 404.
    """
    try:
        status = requests.post(url, b"", timeout=TIMEOUT_SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        return False, f"{url} does not answer ({type(error).__name__}): start ingest, or give its address by --ingest."
    if status == 401:
        return True, f"{url} knows the sender, and refuses an unsigned webhook."
    return False, f"{url} answers {status} instead of 401: check that this ingest reads the same senders.toml."


def wait_for_ingest(url: str) -> None:
    """Wait a limited time until ingest knows the sender, because the gateway may verify the address at once."""
    end = time.monotonic() + _INGEST_WAIT_SECONDS
    while not check_ingest(url)[0] and time.monotonic() < end:
        time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class _Gateway:
    """The gateway of a sender, and the URL to which it should post."""

    url: str
    api: WebhookApi
    client: SenderClient

    def sessions(self, named: Sequence[str]) -> Sequence[str]:
        return named or webhook_apis.sessions_of(self.api, self.client.call)

    def webhook(self, session: str) -> SenderWebhook | None:
        """Return the session's webhook that belongs to the sender."""
        return webhook_apis.find(self.api.webhooks(self.client.call, session), self.client.sender.name, self.url)

    def register(self, session: str, *, replace: bool) -> str:
        webhook_apis.register(self.api, self.client.call, session, self._target(), replace=replace)
        return f"{session} posts to {self.url} now."

    def move(self, session: str, own: SenderWebhook) -> str:
        self.api.put(self.client.call, session, self._target(), own)
        return f"{session} posted to {own.url}, and posts to {self.url} now; its secret is unchanged."

    def _target(self) -> WebhookTarget:
        sender = self.client.sender
        key = sender.secrets[0]
        header = STATIC_HEADER_PATTERN.fullmatch(key) if sender.scheme.allows_static_header else None
        return WebhookTarget(self.url, key, None if header is None else (header[1], header[2]), sender.verify_token)

    def test(self, session: str, webhook: SenderWebhook) -> str:
        assert self.api.test is not None, "the caller checked it"
        self.api.test(self.client.call, session, webhook)
        return f"{session} posted a test event, which was accepted."


@contextmanager
def _connected(sender: Sender, url: str) -> Generator[_Gateway]:
    with closing(SenderClient(sender)) as client:
        yield _Gateway(url, WEBHOOK_APIS[sender.kind], client)


def _attempt(session: str, action: Callable[[], str]) -> ActionResult:
    try:
        return True, action()
    except errors.GatewayError as error:
        return False, f"{session}: {error}."


def _describe(session: str, own: SenderWebhook | None, url: str) -> ActionResult:
    if own is None:
        return False, f"{session} does not post here: `senders register` makes it."
    if own.url != url:
        return False, f"{session} posts to {own.url} instead of {url}: `senders move` changes it."
    if not own.is_active:
        return False, f"{session} has {url} and does not post there: its webhook is switched off at the gateway."
    return True, f"{session} posts to {url}."
