"""Tests `Idempotency-Key`, with which a client that lost the response may repeat its request."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from dev.gateway.state import RequestedSend
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.processes.sending_api import FAST_TIMEOUTS, RECIPIENT_PHONE, SHORT_TIMEOUTS, ApiStarter


def post(sender: ApiClient, key: str, text: str = "hello", to: str = RECIPIENT_PHONE) -> requests.Response:
    return sender.http.post(
        f"{sender.url}/api/send", json={"to": to, "text": text}, headers={"Idempotency-Key": key}, timeout=60
    )


def test_two_hundred_sends_at_once_with_twenty_keys_go_out_twenty_times(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """Many retries after a network failure must not send many messages."""
    barrier = threading.Barrier(200)

    def one(number: int) -> tuple[int, str]:
        with requests.Session() as http:
            http.headers.update(sending_client.http.headers)
            barrier.wait()
            answer = post(ApiClient(sending_client.url, http), f"key-{number % 20}", f"text {number % 20}")
            return answer.status_code, answer.json()["data"]["messageId"]

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, range(200)))

    assert {status for status, _ in answers} == {200}
    assert gateway.call_count("POST /messages/send") == len(gateway.state.delivered_messages()) == 20
    assert all(len({answers[number][1] for number in range(key, 200, 20)}) == 1 for key in range(20))
    assert history.rows("SELECT count(*) FROM whatsapp_messages") == [(20,)]


def test_the_same_request_again_gets_the_same_answer_after_a_restart_too(
    gateway: PretendGateway, start_api: ApiStarter
) -> None:
    """The client may reach another process."""
    first = post(start_api(), "k")
    second = post(start_api(), '"k"', to=f"+{RECIPIENT_PHONE[:2]} {RECIPIENT_PHONE[2:]}")

    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert gateway.call_count("POST /messages/send") == 1


def test_the_same_key_for_something_else_is_refused(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """If it returned the outcome of the first message, the client would not know that the second was never sent."""
    post(sending_client, "k")
    other_text = post(sending_client, "k", text="another")
    other_number = post(sending_client, "k", to="919811000008")

    assert [(one.status_code, one.json()["code"]) for one in (other_text, other_number)] == [
        (422, "idempotency_key_reused")
    ] * 2
    assert gateway.call_count("POST /messages/send") == 1


@pytest.mark.parametrize(
    ("fault", "http"), [(Misbehaviour("hang_after"), 504), (Misbehaviour("failed"), 502), (Misbehaviour("queued"), 202)]
)
def test_a_repeated_key_gets_the_outcome_of_the_first_request(
    fault: Misbehaviour, http: int, gateway: PretendGateway, lend_api: ApiStarter
) -> None:
    """Above all, an unknown send is never repeated automatically."""
    sender = lend_api(SHORT_TIMEOUTS)
    gateway.misbehave(fault)

    answers = [post(sender, "k") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [http] * 3
    assert answers[0].json() == answers[2].json()
    assert gateway.call_count("POST /messages/send") == 1


def test_a_copy_waits_for_the_first_ones_answer_also_in_another_process(
    gateway: PretendGateway, start_api: ApiStarter
) -> None:
    """A client that receives "in progress" repeats its request. One that receives the outcome stops."""
    one, other = start_api(), start_api()
    gateway.misbehave(Misbehaviour("slow", seconds=1.0))

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(post, (one, other, one), ("k",) * 3))

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json()["data"]["messageId"] for answer in answers}) == 1
    assert gateway.call_count("POST /messages/send") == 1


def test_a_key_is_forgotten_after_a_day(
    gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter
) -> None:
    """The documentation states this period. After it, the same key is a new request."""
    post(sending_client, "k")
    history.execute("UPDATE sends SET created_at = now() - interval '23 hours 59 minutes'")
    replayed = post(sending_client, "k")
    history.execute("UPDATE sends SET created_at = now() - interval '24 hours 1 minute'")
    again = post(sending_client, "k", text="another day")

    assert (replayed.headers.get("idempotency-replayed"), again.status_code) == ("true", 200)
    assert gateway.call_count("POST /messages/send") == 2


def test_without_a_key_every_request_is_a_message(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """People send "ok" twice on purpose."""
    for _ in range(2):
        assert sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "ok"}).status_code == 200

    assert len(gateway.state.delivered_messages()) == 2


@pytest.mark.parametrize(
    "key", ["", '"', '""', "a b", '"unfinished', "x" * 256, '"a";b=1', "ключ".encode().decode("latin-1")]
)
def test_an_invalid_key_is_refused(key: str, gateway: PretendGateway, sending_client: ApiClient) -> None:
    """It would be worse to send without the requested protection."""
    answer = post(sending_client, key)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert gateway.call_count("POST /messages/send") == 0


def test_a_request_that_was_refused_leaves_its_key_free(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """Nothing was sent, so the corrected request counts as the first."""
    key = uuid.uuid4().hex
    refused = post(sending_client, key, to="123")
    corrected = post(sending_client, key)

    assert (refused.status_code, corrected.status_code) == (400, 200)
    assert gateway.call_count("POST /messages/send") == 1


def test_a_database_that_restarts_between_call_and_answer_loses_nothing(
    gateway: PretendGateway, start_api: ApiStarter, history: HistoryWriter
) -> None:
    """The gateway reports its answer only once, so it is recorded as soon as PostgreSQL is available again."""
    sender = start_api(replace(FAST_TIMEOUTS, total=10.0))
    kill = """
        SELECT count(pg_terminate_backend(pid))
        FROM pg_stat_activity
        WHERE application_name LIKE 'sends %%' AND datname = current_database()
    """

    def restart(_: RequestedSend) -> None:
        history.rows(kill)

    gateway.state.listeners.append(restart)

    answer = post(sender, "k")

    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "sent")
    assert history.rows("SELECT state, key_id IS NOT NULL FROM sends") == [("sent", True)]
