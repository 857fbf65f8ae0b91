"""What readers see once somebody is forgotten, also those that were looking."""

import asyncio
from pathlib import Path

from store.erasure import jobs, requests
from store.erasure.key_store import Keeping
from store.postgres import connections
from tests.api.live.test_changes import now
from tests.support import event_stream
from tests.support.history_writer import PHONE, TOKEN, Client, History, message, named

OTHER = "919811000002"


def test_readers_lose_what_is_forgotten_and_everybody_loads_anew(
    history: History, client: Client, api_url: str, tmp_path: Path
) -> None:
    """A list that is open, a cursor of yesterday, what the process still has in memory: none may go on showing it."""
    since = now(client)

    async def look() -> None:
        stream = event_stream.events(api_url)
        last = (await anext(stream)).id
        history.tell(message("zebra", id="A"), named("Asha"), message("hello", address=OTHER))
        while (told := await anext(stream)).data["address"] != OTHER:
            last = told.id
            assert told.data["address"] == PHONE
        await asyncio.to_thread(forgotten)
        # The stream ends instead of going on; whoever resumes is told to begin anew.
        async for told in stream:
            assert "zebra" not in str(told.data)
        answer = await asyncio.to_thread(client.get, "/api/stream", since=last)
        assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")

    def forgotten() -> None:
        with connections.open(history.database_url, "forget") as connection:
            requests.record(connection, Keeping(tmp_path), PHONE)
            jobs.finish(connection, Keeping(tmp_path), lambda _: None)

    asyncio.run(asyncio.wait_for(look(), 60))

    assert client.get("/api/changes", since=since).status_code == 410
    assert [chat["address"] for chat in client.data("/api/chats")["contacts"]] == [OTHER]
    assert client.data(f"/api/chats/{PHONE}")["messages"] == []
    assert client.data("/api/search", q="zebra")["results"] == []
    assert "zebra" not in client.get("/api/changes").text + TOKEN
