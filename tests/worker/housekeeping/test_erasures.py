"""Workers and who is forgotten: what waits for them is not kept, what is left to erase they erase."""

from pathlib import Path

import pytest

from store.erasure import requests
from store.erasure.key_store import Keeping
from store.postgres import connections
from tests.support.erasure_scenario import ASHA, LID, RAVI, message
from tests.support.generated_history import world
from tests.support.pipeline import Pipeline


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    return Keeping(tmp_path / "data")


def ledger(pipeline: Pipeline) -> tuple[int, ...]:
    """How many were counted as stored, duplicate and forgotten; all others must be none."""
    columns = "sum(stored), sum(duplicate), sum(forgotten), sum(size) - sum(stored + duplicate + forgotten)"
    counted = pipeline.rows(f"SELECT {columns} FROM batches")[0]
    assert pipeline.rows("SELECT count(*) FROM corrections") == [(0,)]
    assert counted[3] == 0
    return tuple(int(count) for count in counted[:3])


def record(pipeline: Pipeline, keeping: Keeping, address: str) -> None:
    """What a command does that is killed before it erases anything."""
    with connections.open(pipeline.database_url, "forget") as connection:
        requests.record(connection, keeping, address)


def erased(pipeline: Pipeline) -> bool:
    return pipeline.until(lambda: pipeline.rows("SELECT count(*) FROM erasures") == [(0,)])


def words(pipeline: Pipeline) -> list[str]:
    return [text for (text,) in pipeline.rows("SELECT message_text FROM whatsapp_messages ORDER BY id")]


def test_what_waits_in_the_stream_is_counted_forgotten_and_the_rest_is_erased(
    pipeline: Pipeline, keeping: Keeping
) -> None:
    """The command may run, and be killed, while workers are down and the stream is full of the person's messages."""
    pipeline.feed.add([message("zebra one", 1), message("hello", 2, RAVI)])
    worker = pipeline.worker(DATA_DIR=str(keeping.folder)).start()
    assert pipeline.drained()
    worker.terminate()
    pipeline.feed.add([message("zebra two", 3), message("hello again", 4, RAVI), message("zebra one", 1)])
    record(pipeline, keeping, ASHA)

    worker.start()
    assert pipeline.drained()
    assert erased(pipeline)

    assert words(pipeline) == ["hello", "hello again"]
    assert ledger(pipeline) == (3, 1, 1)
    assert pipeline.rows("SELECT count(*) FROM events WHERE position('zebra' IN encode(body, 'escape')) > 0") == [(0,)]


def test_a_lid_that_proves_to_be_somebody_forgotten_is_erased_by_the_worker(
    pipeline: Pipeline, keeping: Keeping
) -> None:
    """Nobody runs a command then: the evidence comes with a message, years later perhaps."""
    pipeline.feed.add([message("zebra one", 1), message("zebra two", 2, LID), message("hello", 3, RAVI)])
    pipeline.worker(DATA_DIR=str(keeping.folder)).start()
    assert pipeline.drained()
    record(pipeline, keeping, ASHA)
    assert erased(pipeline)
    assert words(pipeline) == ["zebra two", "hello"]

    pipeline.feed.add([message("it is me", 4, LID, from_lid=LID, from_number=f"+{ASHA}")])
    assert pipeline.drained()
    assert pipeline.until(lambda: words(pipeline) == ["hello", "it is me"])

    assert erased(pipeline)
    assert ledger(pipeline) == (4, 0, 0)
    assert len(keeping.noted()) == 2


def test_a_worker_without_the_key_says_so_and_keeps_nothing(pipeline: Pipeline, keeping: Keeping) -> None:
    """It cannot tell who is forgotten, so that the stream keeps what comes until somebody gives it the key."""
    record(pipeline, keeping, ASHA)
    pipeline.feed.add([message("zebra one", 1), message("hello", 2, RAVI)])

    blind = pipeline.worker(DATA_DIR=str(keeping.folder / "elsewhere")).start()
    assert pipeline.until(lambda: "FORGET_KEY" in pipeline.said)
    assert pipeline.counted() == 0
    assert pipeline.entries() == 1
    blind.kill()
    pipeline.workers.clear()

    pipeline.worker(FORGET_KEY=keeping.key_file.read_text().strip(), DATA_DIR=str(keeping.folder / "elsewhere")).start()
    assert pipeline.drained()
    # Received after she was forgotten: a new history.
    assert words(pipeline) == ["zebra one", "hello"]
    assert world.ASHA not in pipeline.said
