"""Tests how much of the change feed a process keeps in memory, and sends at a time."""

import asyncio
import contextlib
from collections.abc import Callable

from api.http.database import Database
from api.live import stream
from api.live.broadcaster import Broadcaster, StreamEvent
from api.settings import Settings
from dev.embedded import child_process
from store.postgres import connections
from store.reading import change_feed
from store.reading.change_feed import FeedPosition
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact

COUNT, SIZE = 20, 1 << 20


def test_only_the_newest_16_mib_of_changes_stay_in_memory(history: HistoryWriter) -> None:
    """Somebody who sends large messages must not fill it. A stream that is further behind reads the database."""
    settings = Settings.from_environ({"DATABASE_URL": history.database_url, "API_TOKEN": API_TOKEN})
    with connections.open(history.database_url, "test") as connection:
        epoch, start = change_feed.current_position(connection)

    async def read_all() -> tuple[int | None, int]:
        database = Database.from_settings(settings)
        database.open()
        broadcaster = Broadcaster(database)
        task = asyncio.create_task(broadcaster.run())
        await wait_until(lambda: broadcaster.events_after(epoch, start) is not None)
        await asyncio.to_thread(history.store, *(message_fact("x" * SIZE, n) for n in range(COUNT)))
        with connections.open(history.database_url, "test") as connection:
            position = start
            for _ in range(COUNT - 1):
                position = change_feed.read(connection, position, 1).next_position
        await wait_until(lambda: bool(broadcaster.events_after(epoch, position)))
        kept, behind = broadcaster.events_after(epoch, position), broadcaster.events_after(epoch, start)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(database.close)
        return None if behind is None else len(behind), len(kept or ())

    assert asyncio.run(read_all()) == (None, 1)


def test_a_stream_gets_its_events_in_small_chunks() -> None:
    """A client has 20 seconds for a chunk, and a thousand of them may be behind."""

    def first_page(count: int, size: int) -> int:
        events = [StreamEvent(FeedPosition(1, number), "s1", b"x" * size) for number in range(count)]
        return len(stream._first_page(events))  # pyright: ignore[reportPrivateUsage] - no client sees its chunks

    assert [first_page(500, 10), first_page(500, 200_000), first_page(5, 1 << 20)] == [200, 2, 1]


async def wait_until(condition: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(child_process.wait_until, condition, 20)
