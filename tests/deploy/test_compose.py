"""Tests the variables that compose.yaml requires, and the other services that it starts."""

import re
import subprocess
from pathlib import Path

import psycopg
import redis

from dev.checkout import ROOT
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from environment import env_file
from tests.support.project import deployments, documentation

TEST = "tests/deploy/test_compose.py"


def test_the_lines_of_the_page_make_every_secret_that_is_asked_for(tmp_path: Path) -> None:
    """docs/deploy.md: Compose refuses to start without the secrets, and there are no default values."""
    wanted = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    done = subprocess.run(
        ["sh", "-euc", documentation.tested_commands("docs/deploy.md", TEST)], cwd=tmp_path, check=False
    )
    made = env_file.read(tmp_path / ".env")

    assert done.returncode == 0
    assert made.keys() == wanted
    assert all(re.fullmatch(r"[0-9a-f]{48,}", value) for value in made.values())
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_valkey_of_compose_loses_nothing_that_it_confirmed(tmp_path: Path) -> None:
    with (
        EmbeddedValkey(tmp_path, settings=deployments.valkey_settings()) as valkey,
        redis.Redis.from_url(valkey.url) as client,  # pyright: ignore[reportUnknownMemberType] - **kwargs
    ):
        names = ("appendonly", "appendfsync", "maxmemory-policy", "maxmemory")
        found = client.config_get(*names)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped

    assert found == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(1 << 30),
    }


def test_postgres_of_compose_starts_and_logs_no_words(server_folder: Path) -> None:
    """By default, PostgreSQL would log a refused row (docs/security.md)."""
    with (
        EmbeddedPostgres(server_folder, ephemeral=True, settings=deployments.postgres_settings()) as postgres,
        psycopg.connect(postgres.url) as connection,
    ):
        row = connection.execute(
            "SELECT current_setting('log_min_messages'), current_setting('log_min_error_statement'),"
            " current_setting('log_error_verbosity')"
        ).fetchone()

    assert row == ("log", "panic", "terse")
