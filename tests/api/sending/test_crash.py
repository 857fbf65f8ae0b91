"""Tests a process that dies between recording a send and recording the answer."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
import requests

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import API_TOKEN, HistoryWriter
from tests.support.processes.sending_api import RECIPIENT_PHONE
from tests.support.waiting import wait_until


@contextmanager
def process(database_url: str, gateway: PretendGateway) -> Generator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `python -m api` on its own port, and kill it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {
            **os.environ,
            **gateway.account.to_environ(gateway.base_url),
            "DATABASE_URL": database_url,
            "API_TOKEN": API_TOKEN,
            "LISTEN_FD": str(listener.fileno()),
        }
        running = subprocess.Popen([sys.executable, "-m", "api"], env=environ, pass_fds=[listener.fileno()])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", running
        finally:
            running.kill()
            running.wait()


def test_a_crash_during_a_call_to_the_gateway_leaves_a_send_that_the_next_start_marks_unknown(
    database_url: str, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """The message may have been sent.

    It is never repeated, and a request with the same key returns the unknown state.
    """
    gateway.misbehave(Misbehaviour("hang_after"))
    bearer = {"Authorization": f"Bearer {API_TOKEN}", "Idempotency-Key": "k"}
    body = {"to": RECIPIENT_PHONE, "text": "hello"}

    with process(database_url, gateway) as (url, running):

        def ask() -> None:
            with suppress(requests.RequestException):
                requests.post(f"{url}/api/send", json=body, headers=bearer, timeout=30)

        asking = Thread(target=ask)
        asking.start()
        wait_until(lambda: len(gateway.state.delivered_messages()) == 1)
        running.send_signal(signal.SIGKILL)
        asking.join()
    left = history.rows("SELECT state FROM sends")
    with process(database_url, gateway) as (url, _):
        again = requests.post(f"{url}/api/send", json=body, headers=bearer, timeout=60)
        shown = requests.get(f"{url}/api/chats/{RECIPIENT_PHONE}", headers=bearer, timeout=30).json()["data"][
            "messages"
        ]

    assert left == [("accepted",)]
    assert (again.status_code, again.json()["data"]["code"]) == (504, "interrupted")
    assert [(one["status"], one["message_text"]) for one in shown] == [("unknown", "hello")]
    assert gateway.call_count("POST /messages/send") == 1


@pytest.mark.long
def test_a_send_of_another_running_process_is_left_alone(
    database_url: str, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """A second process that starts must not mark the sends of the first one as unknown."""
    gateway.misbehave(Misbehaviour("slow", seconds=8.0))
    bearer = {"Authorization": f"Bearer {API_TOKEN}"}
    with process(database_url, gateway) as (one, _), process(database_url, gateway) as (other, _):
        wait_until(lambda: requests.get(f"{other}/readyz", timeout=30).ok)
        answers: list[int] = []

        def ask() -> None:
            answer = requests.post(
                f"{one}/api/send", json={"to": RECIPIENT_PHONE, "text": "slow"}, headers=bearer, timeout=30
            )
            answers.append(answer.status_code)

        asking = Thread(target=ask)
        asking.start()
        asking.join()

    # The row changed twice, when it was recorded and when it was sent. It was never unknown in between.
    assert answers == [200]
    assert history.rows("SELECT state, rev FROM sends") == [("sent", 2)]


def test_a_process_that_is_stopped_waits_for_the_gateways_response(
    database_url: str, gateway: PretendGateway, history: HistoryWriter
) -> None:
    """Deployments stop processes regularly, which must not make the outcome of sends unknown."""
    gateway.misbehave(Misbehaviour("slow", seconds=6.5))
    with process(database_url, gateway) as (url, running):

        def ask() -> None:
            with suppress(requests.RequestException):
                bearer = {"Authorization": f"Bearer {API_TOKEN}"}
                requests.post(
                    f"{url}/api/send", json={"to": RECIPIENT_PHONE, "text": "hello"}, headers=bearer, timeout=30
                )

        asking = Thread(target=ask)
        asking.start()
        wait_until(lambda: len(gateway.state.delivered_messages()) == 1)
        running.terminate()
        running.wait(30)
        asking.join()

    assert history.rows("SELECT state, key_id IS NOT NULL FROM sends") == [("sent", True)]
