"""Tests the change feed as a stream of server-sent events."""

import asyncio
import contextlib
import random
import resource
import threading
import time

import pytest
import requests

from api.live import stream
from store.access import tokens
from store.postgres import connections as postgres_connections
from tests.support import event_stream
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter, message_fact


def test_a_stream_starts_from_now_and_sends_later_changes(history: HistoryWriter, api_url: str) -> None:
    """A dashboard opens the stream and then loads its lists. It must receive the changes in between."""

    async def watch() -> list[str]:
        texts: list[str] = []
        async with contextlib.aclosing(event_stream.read_events(api_url)) as stream:
            async for event in stream:
                if event.data is None:
                    await asyncio.to_thread(history.store, message_fact("after", 1))
                else:
                    texts.append(event.data["message"]["message_text"])
                    break
        return texts

    history.store(message_fact("before"))

    assert asyncio.run(watch()) == ["after"]


def test_a_stream_that_saw_nothing_yet_can_be_resumed(history: HistoryWriter, api_url: str) -> None:
    """If the connection breaks before the first event, the client still knows the position from which to resume."""

    async def first(last_id: str | None) -> event_stream.StreamEvent:
        async with contextlib.aclosing(event_stream.read_events(api_url, last_id)) as stream:
            async for event in stream:
                if last_id is None or event.data is not None:
                    return event
        raise AssertionError

    start = asyncio.run(first(None))
    history.store(message_fact("while away"))
    event = asyncio.run(first(start.id))

    assert event.data["message"]["message_text"] == "while away"


async def process(url: str, last: str, changes: int, seed: int) -> list[str]:
    """Return the texts of that number of changes, read over connections that end at random."""
    generator = random.Random(seed)
    seen: list[str] = []
    while len(seen) < changes:
        until = min(len(seen) + generator.randint(1, changes), changes)
        async with contextlib.aclosing(event_stream.read_events(url, last)) as stream:
            async for event in stream:
                last = event.id
                if event.data is not None:
                    seen.append(event.data["message"]["message_text"])
                if len(seen) >= until:
                    break
    return seen


@pytest.mark.parametrize("changes", [200, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.timeout(300)
def test_clients_that_disconnect_at_random_process_each_change_exactly_once(
    history: HistoryWriter, api_url: str, client: ApiClient, changes: int
) -> None:
    """Meanwhile, four writers commit out of order."""
    clients, writers, per_batch = 50, 4, 25
    history.store(message_fact())
    start = client.get_data("/api/changes")["cursor"]

    def write(number: int) -> None:
        mine = HistoryWriter(history.database_url)
        for batch in range(changes // writers // per_batch):
            mine.store(
                *(message_fact(f"{number}/{batch}/{index}", index, address=f"9198110000{number:02}")
                  for index in range(per_batch))
            )  # fmt: skip

    async def all_clients() -> list[list[str]]:
        return await asyncio.gather(*(process(api_url, start, changes, seed) for seed in range(clients)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    processed = asyncio.run(all_clients())
    for thread in threads:
        thread.join()

    everything = {
        f"{number}/{batch}/{index}"
        for number in range(writers)
        for batch in range(changes // writers // per_batch)
        for index in range(per_batch)
    }
    for seen in processed:
        assert len(seen) == changes
        assert set(seen) == everything


def test_an_old_cursor_is_410_before_anything_is_streamed(
    history: HistoryWriter, api_url: str, client: ApiClient
) -> None:
    """The client must load everything again, and can only react to an error in the status of the response."""
    since = client.get_data("/api/changes")["cursor"]
    history.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")

    answer = requests.get(
        f"{api_url}/api/stream",
        headers={"authorization": f"Bearer {API_TOKEN}", "last-event-id": since},
        timeout=30,
    )

    assert (answer.status_code, answer.json()["code"]) == (410, "epoch_changed")


def test_head_of_the_stream_ends(client: ApiClient) -> None:
    """A probe must not wait for ever."""
    answer = client.http.head(f"{client.url}/api/stream", timeout=30)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.long
def test_a_change_reaches_a_thousand_streams(history: HistoryWriter, api_url: str) -> None:
    """A single connection to PostgreSQL listens for all of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))

    async def hear(opened: asyncio.Barrier) -> str:
        async with contextlib.aclosing(event_stream.read_events(api_url)) as stream:
            async for event in stream:
                if event.data is not None:
                    return event.data["message"]["message_text"]
                await opened.wait()
        raise AssertionError

    async def everybody() -> tuple[list[str], list[tuple[int]]]:
        opened = asyncio.Barrier(1001)
        async with asyncio.TaskGroup() as group:
            listeners = [group.create_task(hear(opened)) for _ in range(1000)]
            await opened.wait()
            connections = await asyncio.to_thread(
                history.rows,
                """
                SELECT count(*)
                FROM pg_stat_activity
                WHERE application_name = 'api listener' AND datname = current_database()
                """,
            )
            await asyncio.to_thread(history.store, message_fact("heard"))
        return [listener.result() for listener in listeners], connections

    heard, connections = asyncio.run(everybody())
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert heard == ["heard"] * 1000
    assert connections == [(1,)]


def test_a_stream_ends_when_its_token_is_revoked(history: HistoryWriter, api_url: str) -> None:
    """This also holds if a token of the same name replaces it, and while there are no events to send."""
    with postgres_connections.open(history.database_url, "test") as connection:
        token = tokens.create(connection, "leaver", ["read"])

    async def listen() -> int:
        opened = 0
        async for _ in event_stream.read_events(api_url, token=token):
            opened += 1
            await asyncio.to_thread(history.execute, "UPDATE api_tokens SET revoked_at = now()")
            with postgres_connections.open(history.database_url, "test") as connection:
                tokens.create(connection, "leaver", ["read"])
        return opened

    assert asyncio.run(listen()) == 1


def test_a_client_that_does_not_read_is_dropped_and_can_resume(
    history: HistoryWriter, api_url: str, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that is asleep must not fill the server's memory. After it wakes up, it resumes where it stopped."""
    monkeypatch.setattr(stream, "_SEND_TIMEOUT_SECONDS", 0.5)
    changes, text = 240, "x" * 60_000
    since = client.get_data("/api/changes")["cursor"]
    for batch in range(0, changes, 20):
        history.store(*(message_fact(f"{number} {text}", number) for number in range(batch, batch + 20)))

    async def doze() -> tuple[list[int], str]:
        """Return the events that arrived before the server closed the connection, and the id of the last one."""
        seen: list[int] = []
        last = since
        async with contextlib.aclosing(event_stream.read_events(api_url, since)) as events:
            await anext(events)
            # The API runs in another thread, so that this thread may sleep.
            time.sleep(4)  # noqa: ASYNC251
            async for event in events:
                last = event.id
                seen.append(int(event.data["message"]["message_text"].split()[0]))
        return seen, last

    async def resume(last: str, wanted: int) -> list[int]:
        seen: list[int] = []
        async with contextlib.aclosing(event_stream.read_events(api_url, last)) as events:
            async for event in events:
                if event.data is not None:
                    seen.append(int(event.data["message"]["message_text"].split()[0]))
                if len(seen) == wanted:
                    break
        return seen

    seen, last = asyncio.run(doze())
    rest = asyncio.run(resume(last, changes - len(seen)))

    assert 0 < len(seen) < changes, "it was dropped in the middle"
    assert sorted(seen + rest) == list(range(changes)), "each came once"
