"""Tests the audit log as an admin reads it."""

import requests

from store.access import tokens
from store.postgres import connections
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact, name_fact


def test_the_audit_log_names_caller_request_chat_and_token(client: ApiClient, history: HistoryWriter) -> None:
    """Ids are replaced with current names, and the requested path is never shown."""
    history.store(message_fact(), name_fact("Asha"))
    client.post(f"/api/chats/+{SENDER_PHONE}/read")
    client.post("/api/tokens", {"name": "wall"})
    client.post(f"/api/nowhere/{SENDER_PHONE}")
    page = client.get_data("/api/audit", limit=2)
    rest = client.get_data("/api/audit", cursor=page["cursor"])
    entries = [*page["entries"], *rest["entries"]]

    assert [(one["caller"], one["method"], one["route"], one["status"], one["token"]) for one in entries] == [
        ("bootstrap", "POST", "(no such path)", 404, None),
        ("bootstrap", "POST", "/api/tokens", 201, "wall"),
        ("bootstrap", "POST", "/api/chats/{phone}/read", 200, None),
    ]
    assert [one["chats"] for one in entries] == [
        [],
        [],
        [{"session_id": "s1", "address": SENDER_PHONE, "name": "Asha"}],
    ]
    assert rest["cursor"] is None


def test_the_log_of_everything_is_for_an_admin_of_everything(api_url: str, history: HistoryWriter) -> None:
    with connections.open(history.database_url, "test") as connection:
        token = tokens.create(connection, "some", ["read", "admin"], session_ids=["s1"])
    answer = requests.get(f"{api_url}/api/audit", headers={"authorization": f"Bearer {token}"}, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (403, "all_sessions_needed")
