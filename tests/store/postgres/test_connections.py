"""No error quotes the password in PostgreSQL's URL."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.postgres import connections
from store.postgres.connections import DatabaseUrlError


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://app:private@127.0.0.1/history",
        "postgresql://app:private@part@127.0.0.1:5432/history",
        "postgresql://app:1/private@127.0.0.1:5432/history",
        "postgresql://app:private/part@127.0.0.1:5432/history",
        "postgresql://app:1?private@127.0.0.1:5432/history",
        "postgresql://app:1?private=part@127.0.0.1:5432/history",
        "postgresql://app:private%@127.0.0.1:5432/history",
        "postgresql://app@127.0.0.1:private/history",
        "postgresql://app@127.0.0.1:99999/history",
        "postgresql://app:\ud800private@127.0.0.1/history",
    ],
)
@pytest.mark.parametrize(
    ("variable", "read"),
    [
        ("DATABASE_URL", connections.url),
        ("DIRECT_DATABASE_URL", connections.direct_url),
        ("READ_DATABASE_URL", connections.replica_url),
    ],
)
def test_an_invalid_url_is_named_and_not_quoted(
    url: str, variable: str, read: Callable[[Mapping[str, str]], str | None]
) -> None:
    """With an unescaped @, half of the password becomes the host, which a connection error would log."""
    with pytest.raises(DatabaseUrlError, match=rf"^{variable} must look like .* written %40") as error:
        read({variable: url})
    assert "private" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///history?host=/run/postgresql",
        "postgres://app:se%40cr%2Fet@one:5432,two:5433,[::1]:5434/history?sslmode=require&target_session_attrs=any",
        "postgresql://%2Frun%2Fpostgresql/history",
        "host=/run/postgresql dbname=history password=a@b",
        "postgresql://app@host",
    ],
)
def test_a_url_of_libpq_is_passed_on(url: str) -> None:
    assert connections.url({"DATABASE_URL": url}) == url


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=3, max_size=12))
def test_no_password_becomes_a_part_of_a_host(password: str) -> None:
    """The password is either read as written, or the URL is refused."""
    try:
        url = connections.url({"DATABASE_URL": f"postgresql://app:{password}@db.example:5432/history"})
    except DatabaseUrlError:
        return
    found = connections.parameters(url, "test", connections.build_profile(url))
    assert (found["host"], found["port"], found["dbname"]) == ("db.example", "5432", "history")


def test_without_a_url_the_error_names_the_folder_that_was_searched(tmp_path: Path) -> None:
    """The command was started in another folder than that of ./run."""
    with pytest.raises(DatabaseUrlError, match=rf"DATA_DIR \({tmp_path}\)"):
        connections.url({"DATA_DIR": str(tmp_path)})
