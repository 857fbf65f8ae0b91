"""Tests that the responses to sends match the OpenAPI document."""

from typing import Any

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import ApiClient
from tests.support.processes.sending_api import RECIPIENT_PHONE, ApiStarter


def paths(client: ApiClient) -> Any:  # noqa: ANN401 - JSON
    return client.get("/openapi.json").json()["paths"]


def test_every_response_to_a_send_is_described_with_its_fields(
    gateway: PretendGateway, sending_client: ApiClient, start_api: ApiStarter
) -> None:
    """Generated clients fail on missing fields, above all in rare responses."""
    document = sending_client.get("/openapi.json").json()
    described = document["paths"]["/api/send"]["post"]["responses"]
    fields = document["components"]["schemas"]["Send"]["required"]
    statuses: list[int] = []
    for fault in (None, Misbehaviour("queued"), Misbehaviour("failed"), Misbehaviour("reset")):
        if fault:
            gateway.misbehave(fault)
        answer = sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"})
        statuses.append(answer.status_code)
        assert sorted(answer.json()["data"]) == fields
    refused = [
        sending_client.post("/api/send", {"to": "123", "text": "hello"}),
        sending_client.post("/api/send", [1]),
        start_api(SAK_BASE_URL="").post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}),
    ]

    assert statuses == [200, 202, 502, 504]
    assert {str(status) for status in [*statuses, *(answer.status_code for answer in refused)]} <= set(described)
    assert all(sorted(answer.json()) == ["code", "error", "success"] for answer in refused)


def test_every_field_of_a_send_is_described(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """These are the two calls that follow a response of 202 or 504."""
    gateway.misbehave(Misbehaviour("queued"))
    send_id = sending_client.post("/api/send", {"to": RECIPIENT_PHONE, "text": "hello"}).json()["data"]["send_id"]
    one = sending_client.get(f"/api/sends/{send_id}")
    reconciled = sending_client.post(f"/api/sends/{send_id}/reconcile")

    assert str(one.status_code) in paths(sending_client)["/api/sends/{id}"]["get"]["responses"]
    assert str(reconciled.status_code) in paths(sending_client)["/api/sends/{id}/reconcile"]["post"]["responses"]
    assert set(reconciled.json()["data"]) - set(one.json()["data"]) == {"settled", "explanation"}
