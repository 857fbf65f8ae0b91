"""Tests push services that are hostile: a client chooses them among the hosts of PUSH_HOSTS."""

import contextlib
import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing

import pytest

from api.push import delivery
from api.push.delivery import Delivery, PushClient
from store.access.push_subscriptions import Subscription
from store.reading.news import NewsItem
from tests.support.servers.push_service import KEY, Device

NEWS = NewsItem(1, "s1", "919811000001", "Asha", "hello", 1)
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 100000000\r\n\r\n"


@contextlib.contextmanager
def answering(first: bytes, piece: bytes, pause: float) -> Generator[tuple[Subscription, list[int]]]:
    """Answer with `first` and then, without end, with a piece after each pause. Yield a device and the sizes sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    sent: list[int] = []

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(first)
            while True:
                connection.sendall(piece)
                sent.append(len(piece))
                time.sleep(pause)

    thread = threading.Thread(target=answer)
    thread.start()
    device = Device(f"http://127.0.0.1:{listener.getsockname()[1]}/x")
    try:
        yield (
            Subscription(device.endpoint, device.p256dh, device.auth, None, None, shows_text=True, has_sound=False),
            sent,
        )
    finally:
        thread.join()
        listener.close()


def test_only_the_beginning_of_an_endless_answer_is_read() -> None:
    with (
        answering(ANSWER, b"x" * 65_536, 0) as (subscription, sent),
        closing(PushClient(KEY, "mailto:me@example.org")) as push,
    ):
        delivered = push.send(subscription, NEWS, 20)

    assert delivered == Delivery(Delivery.SENT)
    assert sum(sent) < 32 << 20


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 201 Created\r\n", ANSWER], ids=["silent", "head", "body"])
def test_an_answer_that_drips_is_given_up(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of them would occupy all threads that send. Each byte would renew a timeout of the socket."""
    monkeypatch.setattr(delivery, "_SECONDS", 0.5)
    with answering(first, b"X", 0.1) as (subscription, sent), closing(PushClient(KEY, "mailto:me@example.org")) as push:
        push.send(subscription, NEWS, 20)

    assert len(sent) < 50
