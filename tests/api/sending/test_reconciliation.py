"""Tests that a send is reconciled with SAK's own list on request."""

from dataclasses import replace
from typing import Any

import pytest

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from dev.gateway.state import GatewayState
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.processes.sending_api import RECIPIENT_PHONE, SHORT_TIMEOUTS, ApiStarter


@pytest.fixture
def hasty(lend_api: ApiStarter) -> ApiClient:
    return lend_api(SHORT_TIMEOUTS)


def lost(
    gateway: PretendGateway,
    sender: ApiClient,
    fault: str = "hang_after",
    to: str = RECIPIENT_PHONE,
    **more: Any,  # noqa: ANN401 - fields of a Misbehaviour
) -> str:
    """Make a send with an unknown outcome, and return its id."""
    gateway.misbehave(Misbehaviour(fault, **more))  # pyright: ignore[reportArgumentType] - a kind
    answer = sender.post("/api/send", {"to": to, "text": "hello"})
    assert answer.status_code == 504
    return answer.json()["data"]["send_id"]


def reconciled(sender: ApiClient, send_id: str) -> dict[str, Any]:
    answer = sender.post(f"/api/sends/{send_id}/reconcile")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def age(memory: GatewayState, seconds: int) -> None:
    """Shift the times of SAK's list."""
    memory._history[:] = [  # pyright: ignore[reportPrivateUsage] - the gateway has no clock to turn
        replace(sent, created_at=f"2026-01-01T00:00:{seconds:02d}") for sent in memory.sent_messages()
    ]


def test_an_unknown_send_that_was_sent_becomes_its_message(gateway: PretendGateway, hasty: ApiClient) -> None:
    """Exactly one entry of SAK's list matches, so the send gets its id, and later acknowledgements find it."""
    send_id = lost(gateway, hasty)
    data = reconciled(hasty, send_id)
    (shown,) = hasty.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]

    assert (data["settled"], data["status"], data["messageId"]) == (
        True,
        "sent",
        gateway.state.delivered_messages()[0].message_id,
    )
    assert (shown["status"], shown["message_id"], shown["send_id"]) == ("sent", data["messageId"], send_id)
    assert shown["id"] is not None
    assert reconciled(hasty, send_id)["settled"] is True
    assert gateway.call_count("GET /messages/history") == 1


@pytest.mark.parametrize(("outcome", "status"), [("queued", "queued"), ("failed", "failed")])
def test_an_entry_that_was_queued_or_failed_gives_that_outcome(
    outcome: Any,  # noqa: ANN401 - a literal
    status: str,
    gateway: PretendGateway,
    hasty: ApiClient,
) -> None:
    """Both are final outcomes. A failed message may be sent again."""
    data = reconciled(hasty, lost(gateway, hasty, outcome=outcome))

    assert (data["settled"], data["status"]) == (True, status)


def test_failed_because_sak_gave_up_waiting_stays_unknown(
    gateway: PretendGateway, hasty: ApiClient, history: HistoryWriter
) -> None:
    """SAK reports failed after 25 seconds, although the message may have been sent."""
    send_id = lost(gateway, hasty, outcome="failed")
    history.execute("UPDATE sends SET completed_at = created_at + interval '25 seconds'")
    data = reconciled(hasty, send_id)

    assert (data["settled"], data["status"]) == (False, "unknown")
    assert "timeout" in data["explanation"]


def test_without_an_entry_nothing_is_settled(gateway: PretendGateway, hasty: ApiClient) -> None:
    """If SAK has no entry yet, one may still appear."""
    data = reconciled(hasty, lost(gateway, hasty, "hang"))

    assert (data["settled"], data["status"]) == (False, "unknown")
    assert "No entry" in data["explanation"]


def test_entries_of_another_number_type_or_time_do_not_match(gateway: PretendGateway, hasty: ApiClient) -> None:
    """They are other messages, of ours or of another program with the same key."""
    hasty.post("/api/send", {"to": "919811000001", "text": "hello"})
    send_id = lost(gateway, hasty)
    age(gateway.state, 1)

    assert reconciled(hasty, send_id)["settled"] is False


def test_entries_of_other_sends_do_not_match(gateway: PretendGateway, hasty: ApiClient) -> None:
    """The same text was sent a minute earlier under a number that is known."""
    hasty.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})
    lost_one = lost(gateway, hasty, "hang")

    assert "No entry" in reconciled(hasty, lost_one)["explanation"]
    assert "Exactly one" in reconciled(hasty, lost(gateway, hasty, to="919811000002"))["explanation"]


def test_two_sends_and_one_entry_are_left_alone(gateway: PretendGateway, hasty: ApiClient) -> None:
    """It is unknown which of the two sends it was. A wrong guess would mark the other as not sent."""
    one, two = lost(gateway, hasty), lost(gateway, hasty, "hang")

    for send_id in (one, two):
        data = reconciled(hasty, send_id)
        assert (data["settled"], data["status"]) == (False, "unknown")
        assert "1 other" in data["explanation"]


def test_two_entries_are_left_alone(gateway: PretendGateway, hasty: ApiClient) -> None:
    """Another program may have sent to the same number meanwhile."""
    gateway.state.send(RECIPIENT_PHONE, "text", "from elsewhere", None, None)
    data = reconciled(hasty, lost(gateway, hasty))

    assert (data["settled"], data["status"]) == (False, "unknown")
    assert "2 entries" in data["explanation"]


def test_a_queued_send_is_never_paired_by_a_machine(gateway: PretendGateway, hasty: ApiClient) -> None:
    """Nothing connects the number in the queue to that of the message, which appears later as a separate message."""
    gateway.state.connected = False
    queued = hasty.post("/api/send", {"to": RECIPIENT_PHONE, "text": "later"})
    gateway.state.send_queued()
    data = reconciled(hasty, queued.json()["data"]["send_id"])
    (shown,) = hasty.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]

    assert queued.status_code == 202
    assert (data["settled"], data["status"]) == (False, "queued")
    assert (shown["status"], shown["message_id"]) == ("queued", queued.json()["data"]["messageId"])


def test_a_send_can_be_looked_up(gateway: PretendGateway, hasty: ApiClient) -> None:
    """A client that received 504 can request the state of the send later."""
    send_id = lost(gateway, hasty)

    assert hasty.get_data(f"/api/sends/{send_id}")["status"] == "unknown"
    for strange in ("00000000-0000-0000-0000-000000000000", "x"):
        assert hasty.get(f"/api/sends/{strange}").json()["code"] == "send_not_found"
        assert hasty.post(f"/api/sends/{strange}/reconcile").status_code == 404


def test_a_reconciliation_reports_that_sak_does_not_return_its_list(gateway: PretendGateway, hasty: ApiClient) -> None:
    """Without the list nothing is known about the send, so it does not change."""
    send_id = lost(gateway, hasty)
    gateway.misbehave(Misbehaviour("answer", "GET /messages/history", status=403, code="INVALID_API_KEY"))
    answer = hasty.post(f"/api/sends/{send_id}/reconcile")

    assert (answer.status_code, answer.json()["code"]) == (502, "sak_unavailable")
    assert hasty.get_data(f"/api/sends/{send_id}")["status"] == "unknown"
