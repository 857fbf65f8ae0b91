"""The made-up history that the API is measured on."""

import psycopg
import pytest

from dev import generator, generatorsteps
from dev.failure import StartError
from store import connect, heads, ledger

SIZE, CHATS = 6_000, 200


def test_what_is_generated_is_what_the_store_would_have_counted(database_url: str) -> None:
    """Figures measured on a history that cannot be would say nothing."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        indexes = connection.execute("SELECT indexdef FROM pg_indexes ORDER BY 1").fetchall()
    generator.generate(database_url, SIZE, CHATS)
    with connect.open(database_url, "test") as connection:
        shown, differences = heads.page(connection, 0, 1_000)
        counted = ledger.read(connection)
        searchable = connection.execute("SELECT count(*) FROM searchable").fetchone()
        after = connection.execute("SELECT indexdef FROM pg_indexes ORDER BY 1").fetchall()

    assert (len(shown), differences) == (CHATS, [])
    assert (counted.received, counted.stored) == (SIZE, SIZE)
    assert searchable == (SIZE,)
    assert after == indexes


def test_an_interrupted_generator_goes_on(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million take minutes, and a laptop sleeps."""
    monkeypatch.setattr(generator, "CHUNK", 1_000)
    with psycopg.connect(database_url, autocommit=True) as connection:
        plan = generatorsteps.begin(connection, SIZE, CHATS)
        generatorsteps.frame(connection, plan)
        with connection.transaction():
            generatorsteps.messages(connection, plan, 1_000)
    with pytest.raises(StartError, match="begun"):
        generator.generate(database_url, SIZE, CHATS + 1)
    generator.generate(database_url, SIZE, CHATS)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM whatsapp_messages").fetchone() == (
            SIZE, SIZE,
        )  # fmt: skip


def test_a_history_is_never_mixed_with_a_made_up_one(database_url: str) -> None:
    """DATABASE_URL may name the real one."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO chats (session_id, address, kind) VALUES ('s', '919811000001', 'phone')")

    with pytest.raises(StartError, match="already"):
        generator.generate(database_url, SIZE, CHATS)
