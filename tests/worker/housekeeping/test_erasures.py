"""Workers drop events of erased people and finish interrupted erasures."""

from pathlib import Path

import pytest

from store.erasure import requests
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from tests.support.generated_history import world
from tests.support.history.erasure_scenario import ASHA, LID, RAVI, message_event
from tests.support.processes.pipeline import WorkerPipeline


@pytest.fixture
def keeping(tmp_path: Path) -> SuppressionKeyStore:
    return SuppressionKeyStore(tmp_path / "data")


def ledger(pipeline: WorkerPipeline) -> tuple[int, ...]:
    """Return the numbers of stored, duplicate and forgotten events. All other outcomes must be 0."""
    columns = "sum(stored), sum(duplicate), sum(forgotten), sum(size) - sum(stored + duplicate + forgotten)"
    counted = pipeline.fetch_rows(f"SELECT {columns} FROM batches")[0]
    assert pipeline.fetch_rows("SELECT count(*) FROM ledger_corrections") == [(0,)]
    assert counted[3] == 0
    return tuple(int(count) for count in counted[:3])


def record(pipeline: WorkerPipeline, keeping: SuppressionKeyStore, address: str) -> None:
    """Do what the command does before its first deletion, where it is killed."""
    with connections.open(pipeline.database_url, "forget") as connection:
        requests.record(connection, keeping, address)


def erased(pipeline: WorkerPipeline) -> bool:
    return pipeline.wait_until(lambda: pipeline.fetch_rows("SELECT count(*) FROM erasures") == [(0,)])


def words(pipeline: WorkerPipeline) -> list[str]:
    return [text for (text,) in pipeline.fetch_rows("SELECT message_text FROM whatsapp_messages ORDER BY id")]


def test_queued_events_of_an_erased_person_are_counted_forgotten_and_the_rest_is_erased(
    pipeline: WorkerPipeline, keeping: SuppressionKeyStore
) -> None:
    """The command may run, and be killed, while workers are down and the stream is full of the person's messages."""
    pipeline.feed.append([message_event("zebra one", 1), message_event("hello", 2, RAVI)])
    worker = pipeline.create_worker(DATA_DIR=str(keeping.directory)).start()
    assert pipeline.wait_until_drained()
    worker.terminate()
    pipeline.feed.append(
        [message_event("zebra two", 3), message_event("hello again", 4, RAVI), message_event("zebra one", 1)]
    )
    record(pipeline, keeping, ASHA)

    worker.start()
    assert pipeline.wait_until_drained()
    assert erased(pipeline)

    assert words(pipeline) == ["hello", "hello again"]
    assert ledger(pipeline) == (3, 1, 1)
    assert pipeline.fetch_rows(
        "SELECT count(*) FROM raw_events WHERE position('zebra' IN encode(body, 'escape')) > 0"
    ) == [(0,)]


@pytest.mark.long
def test_a_lid_that_proves_to_be_an_erased_persons_is_erased_by_the_worker(
    pipeline: WorkerPipeline, keeping: SuppressionKeyStore
) -> None:
    """Nobody runs a command then, because the evidence may arrive with a message years later."""
    pipeline.feed.append(
        [message_event("zebra one", 1), message_event("zebra two", 2, LID), message_event("hello", 3, RAVI)]
    )
    pipeline.create_worker(DATA_DIR=str(keeping.directory)).start()
    assert pipeline.wait_until_drained()
    record(pipeline, keeping, ASHA)
    assert erased(pipeline)
    assert words(pipeline) == ["zebra two", "hello"]

    pipeline.feed.append([message_event("it is me", 4, LID, from_lid=LID, from_number=f"+{ASHA}")])
    assert pipeline.wait_until_drained()
    assert pipeline.wait_until(lambda: words(pipeline) == ["hello", "it is me"])

    assert erased(pipeline)
    assert ledger(pipeline) == (4, 0, 0)
    # Her number in two forms, as dialled abroad and at home, and her LID.
    assert len(keeping.read_suppressions()) == 3


def test_a_worker_without_the_key_is_not_ready_and_stores_nothing(
    pipeline: WorkerPipeline, keeping: SuppressionKeyStore
) -> None:
    """The worker cannot know who is erased, so the stream keeps its entries until the key is provided."""
    record(pipeline, keeping, ASHA)
    pipeline.feed.append([message_event("zebra one", 1), message_event("hello", 2, RAVI)])

    blind = pipeline.create_worker(DATA_DIR=str(keeping.directory / "elsewhere")).start()
    assert pipeline.wait_until(lambda: "FORGET_KEY" in pipeline.worker_output)
    assert pipeline.count_ledger_events() == 0
    assert pipeline.count_entries() == 1
    blind.kill()
    pipeline.workers.clear()

    pipeline.create_worker(
        FORGET_KEY=keeping.key_file.read_text().strip(), DATA_DIR=str(keeping.directory / "elsewhere")
    ).start()
    assert pipeline.wait_until_drained()
    # Received after the erasure, so this is a new history.
    assert words(pipeline) == ["zebra one", "hello"]
    assert world.ASHA not in pipeline.worker_output
