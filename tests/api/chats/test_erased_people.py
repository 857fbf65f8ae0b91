"""Tests what readers see after an erasure, including those with an open page or stream."""

import asyncio
from pathlib import Path

from store.erasure import jobs, requests
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from tests.support import event_stream
from tests.support.history.history_writer import (
    API_TOKEN,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
    name_fact,
)

OTHER = "919811000002"


def test_an_erasure_removes_the_person_from_every_page_and_makes_clients_reload(
    history: HistoryWriter, client: ApiClient, api_url: str, tmp_path: Path
) -> None:
    """Open lists, old cursors and the caches of the process must not show erased data."""
    since = client.current_cursor()

    async def look() -> None:
        stream = event_stream.read_events(api_url)
        last = (await anext(stream)).id
        history.store(message_fact("zebra", id="A"), name_fact("Asha"), message_fact("hello", address=OTHER))
        while (event := await anext(stream)).data["address"] != OTHER:
            last = event.id
            assert event.data["address"] == SENDER_PHONE
        await asyncio.to_thread(forgotten)
        # The stream ends, and a client that resumes it must reload everything.
        async for event in stream:
            assert "zebra" not in str(event.data)
        answer = await asyncio.to_thread(client.get, "/api/stream", since=last)
        assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")

    def forgotten() -> None:
        with connections.open(history.database_url, "forget") as connection:
            requests.record(connection, SuppressionKeyStore(tmp_path), SENDER_PHONE)
            jobs.run_all(connection, SuppressionKeyStore(tmp_path), lambda _: None)

    asyncio.run(asyncio.wait_for(look(), 60))

    assert client.get("/api/changes", since=since).status_code == 410
    assert [chat["address"] for chat in client.get_data("/api/chats")["contacts"]] == [OTHER]
    assert client.get_data(f"/api/chats/{SENDER_PHONE}")["messages"] == []
    assert client.get_data("/api/search", q="zebra")["results"] == []
    assert "zebra" not in client.get("/api/changes").text + API_TOKEN
