"""Tests queries whose named parameters are found once."""

import pytest

from store.postgres import connections
from store.postgres.compiled_query import compile_query
from store.postgres.pooler import PoolerSafeConnection


def test_a_parameter_used_twice_is_sent_once_and_percent_signs_are_kept(database_url: str) -> None:
    query = compile_query("SELECT %(number)s::int, %(text)s LIKE '1%%', %(number)s::int + 1")

    with connections.open(database_url, "test") as connection:
        rows = query.fetch_all(connection, {"number": 1, "text": "10", "unused": None})
        with pytest.raises(KeyError):
            query.fetch_all(connection, {"number": 1})

    assert rows == [(1, True, 2)]


def test_a_query_runs_with_our_settings_behind_a_pooler(database_url: str) -> None:
    """The server's connection may be another one than that on which they were made."""
    with connections.open(database_url, "test", overrides={"work_mem": "4321kB"}) as connection:
        assert isinstance(connection, PoolerSafeConnection)
        connection.execute("SET work_mem = '1MB'")
        connection.profile.behind_pooler = True

        assert compile_query("SELECT current_setting('work_mem')").fetch_all(connection, {}) == [("4321kB",)]
