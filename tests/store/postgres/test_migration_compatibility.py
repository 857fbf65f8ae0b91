"""Every migration after 1.0.0 lets old processes work and blocks nobody (docs/upgrading.md)."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.support.project.schema_catalog import SchemaCatalog, incompatibilities
from tests.support.servers.databases import run_admin

FIRST_SCHEMA_END = "0011_access.sql"
"""The last of the migrations that create the first schema, which no process used before."""
EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Migrations that may break a rule, each with the reason."""


@pytest.fixture
def url(servers: EmbeddedServers) -> Iterator[str]:
    name = f"schema_{uuid.uuid4().hex}"
    run_admin(servers, "CREATE DATABASE {}", name)
    yield servers.postgres.url_of(name)
    run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the migrations of 1.0.0."""
    for name in migrator.available():
        if name <= FIRST_SCHEMA_END:
            shutil.copy(migrator.MIGRATIONS_FOLDER / name, tmp_path)
    return tmp_path


def found_in(name: str, script: bytes, url: str, folder: Path) -> list[str]:
    """Return the rules that one more migration violates."""
    before = SchemaCatalog.read(url)
    (folder / name).write_bytes(script)
    assert migrator.migrate(url, folder=folder) == [name]
    alone = script.startswith(b"-- outside a transaction")
    return list(incompatibilities(before, SchemaCatalog.read(url), outside_transaction=alone))


def test_old_processes_survive_every_migration_and_wait_for_none(url: str, folder: Path) -> None:
    """During a deployment, and after a rollback, the previous code works on the new schema."""
    migrator.migrate(url, folder=folder)
    found = [
        (name, problem)
        for name in migrator.available()
        if name > FIRST_SCHEMA_END
        for problem in found_in(name, (migrator.MIGRATIONS_FOLDER / name).read_bytes(), url, folder)
    ]

    assert set(found) == set(EXCEPTIONS), "unexpected, or expected in vain"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("CREATE INDEX bad ON whatsapp_messages (status)", "builds bad while writers wait"),
        ("ALTER TABLE whatsapp_messages ALTER content_rank TYPE integer", "rewrites whatsapp_messages"),
        ("ALTER TABLE event_digests ADD COLUMN seen timestamptz DEFAULT clock_timestamp()", "rewrites event_digests"),
        (
            "ALTER TABLE message_keys ADD COLUMN colour text NOT NULL",
            "wants message_keys.colour, which old writers do not know",
        ),
        (
            "ALTER TABLE message_keys ADD CHECK (key_id > 0)",
            "reads a table through for message_keys_key_id_check while writers wait",
        ),
        (
            "ALTER TABLE message_updates ADD CONSTRAINT bad FOREIGN KEY (key_id) REFERENCES message_keys",
            "reads a table through for bad while writers wait",
        ),
        (
            "ALTER TABLE chats ALTER name SET NOT NULL",
            "reads through chats for the nulls in name, which old writers may leave",
        ),
        ("ALTER TABLE chats DROP COLUMN waiting_since", "takes away or changes chats.waiting_since"),
        ("ALTER TABLE sends RENAME TO sendings", "takes away sends"),
        ("DROP TABLE redrive_requests", "takes away redrive_requests"),
        (
            "ALTER TABLE event_digests DROP CONSTRAINT event_digests_pkey",
            "takes away event_digests_pkey, by which old writers find what is there",
        ),
    ],
)
def test_a_migration_against_the_rules_is_found(url: str, folder: Path, script: str, problem: str) -> None:
    migrator.migrate(url, folder=folder)

    assert problem in found_in("9999_bad.sql", script.encode(), url, folder)


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE whatsapp_messages ADD COLUMN colour text, ADD COLUMN size integer NOT NULL DEFAULT 0",
        "ALTER TABLE message_keys ADD CONSTRAINT positive CHECK (key_id > 0) NOT VALID",
        "CREATE TABLE brand_new (a integer PRIMARY KEY CHECK (a > 0)); CREATE INDEX ON brand_new (a)",
        "-- outside a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS good ON whatsapp_messages (status);",
    ],
)
def test_a_migration_by_the_rules_is_accepted(url: str, folder: Path, script: str) -> None:
    migrator.migrate(url, folder=folder)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM migrations").fetchone() != (0,)

    assert found_in("9999_good.sql", script.encode(), url, folder) == []
