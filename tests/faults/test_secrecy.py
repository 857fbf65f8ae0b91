"""Tests that secrets, headers and texts of messages appear only in the database."""

import contextlib
import time
from pathlib import Path

import psycopg
import pytest

from dev.chaos import event_generator
from dev.chaos.event_generator import EventGenerator
from dev.chaos.system_under_test import SystemUnderTest
from dev.chaos.webhook_sender import WebhookSender
from dev.embedded import child_process
from tests.support.processes import preloaded_python
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.processes.preloaded_python import PreloadedProcess

PASSWORD = "correct-horse-9811"
VERBOSE = "import logging; logging.getLogger('rq').setLevel = lambda level: None"
BROKEN = (
    f"postgresql://app:{PASSWORD}@127.0.0.1:1/history",
    f"postgresql://app:{PASSWORD}@127.0.0.1:port/history",
    f"postgresql//app:{PASSWORD}@127.0.0.1/history",
    f"host=127.0.0.1 password={PASSWORD} = x",
    f"postgresql://app:{PASSWORD}%zz@127.0.0.1:1/history",
)
BROKEN_REDIS = (
    f"redis://:{PASSWORD}@127.0.0.1:1/0",
    f"redis://:{PASSWORD}@127.0.0.1:port/0",
    f"redis//:{PASSWORD}@127.0.0.1/0",
    f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/main/0",
    f"redis+sentinel://:{PASSWORD}@127.0.0.1:x/main/0",
)
REFUSE_TEXT = "ALTER TABLE whatsapp_messages ADD CONSTRAINT few_words CHECK (length(message_text) < 22)"


@pytest.mark.parametrize("log_format", ["json", pytest.param("text", marks=pytest.mark.long)])
def test_at_debug_level_neither_secrets_nor_headers_nor_words_are_logged(log_format: str) -> None:
    """More people read a log than the history. It is copied, shipped and stored elsewhere."""
    with SystemUnderTest(prelude=VERBOSE, environment={"LOG_LEVEL": "DEBUG", "LOG_FORMAT": log_format}) as system:
        with psycopg.connect(system.postgres.url, autocommit=True) as database:
            database.execute(REFUSE_TEXT)
        with WebhookSender(system.port, EventGenerator(81), 100) as sender:
            system.wait(1.5)
            system.valkey.kill()
            system.wait(0.5)
            system.valkey.start()
            system.worker_postgres.reset_connections()
            system.wait(1.5)
        record = sender.deliveries
        system.wait(2)
        said = "".join(path.read_text(errors="replace") for path in system.log_paths)

    assert record.acknowledged
    assert "searching for the rejected event" in said, "PostgreSQL refused some, and quoted them"
    assert "DEBUG" in said
    for secret in (
        event_generator.SECRET,
        "sha256=",
        "axios",
        *event_generator.WORDS[1:5],  # The first, "order", is part of a column's name in PostgreSQL's log.
        "Guest",
        "3EB0",
        "919811000",
    ):
        assert secret not in said, secret


@pytest.mark.parametrize("module", ["worker", "ingest"])
def test_a_password_in_a_url_is_never_repeated(module: str, tmp_path: Path) -> None:
    """If a URL is mistyped, its password must not appear in the log of the process that could not parse it."""
    databases = BROKEN if module == "worker" else BROKEN[:1]
    pairs = [*((database, BROKEN_REDIS[0]) for database in databases), *((BROKEN[0], url) for url in BROKEN_REDIS[1:])]
    with contextlib.ExitStack() as stack:
        programs = [
            stack.enter_context(
                PreloadedProcess(
                    module,
                    {
                        "DATABASE_URL": database,
                        "REDIS_URL": redis,
                        "WEBHOOK_SECRETS": PASSWORD,
                        "DATA_DIR": str(tmp_path / str(number)),
                        "INGEST_PORT": "0",
                    },
                    tmp_path / f"{number}.log",
                )
            )
            for number, (database, redis) in enumerate(pairs)
        ]
        assert child_process.wait_until(lambda: all(program.output for program in programs), 60)
        time.sleep(1)
        for program in programs:
            program.terminate()

    for program, pair in zip(programs, pairs, strict=True):
        assert PASSWORD not in program.output, pair


@pytest.mark.parametrize("url", BROKEN)
def test_commands_do_not_repeat_it_either(url: str, tmp_path: Path) -> None:
    """The output of an operator's terminal is pasted into chats and tickets."""
    for command in ("migrate", "ledger"):
        environment = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path)}
        done = preloaded_python.run("store", command, environment=environment)

        assert done.returncode != 0
        assert PASSWORD not in done.stdout + done.stderr


def test_the_cause_of_a_dead_drain_is_logged_without_message_texts(pipeline: WorkerPipeline) -> None:
    """PostgreSQL's errors quote the row that it refuses, and Python's errors often quote the value."""
    prelude = """
from store.ingestion import apply
def batches(*arguments, **options):
    raise ValueError("Failing row contains (secret words).") from KeyError("other secret words")
apply.batches = batches
"""
    pipeline.feed.append(EventGenerator(82).take(3))
    worker = pipeline.create_worker(prelude=prelude).start()

    assert pipeline.wait_until(lambda: "ValueError" in worker.output), worker.output
    assert "secret words" not in worker.output
    assert "worker/drain/entry_store.py" in worker.output, "where it happened must be told"
