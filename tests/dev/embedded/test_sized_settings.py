"""Tests that the servers get the settings that the documentation shows for each size of a machine."""

import re
from pathlib import Path

import psycopg
import redis

from dev.checkout import ROOT
from dev.embedded import sized_settings
from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.machine_size import MachineSize

TABLE = re.compile(r"^\| setting \| ([^\n]*) \| why \|\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", re.MULTILINE)


def documented() -> dict[str, dict[str, str]]:
    """Return the settings of the table by the size of the machine: {"8 GiB": {"shared_buffers": "2048MB"}}."""
    [(sizes, rows)] = TABLE.findall((ROOT / "docs" / "performance.md").read_text())
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows.splitlines()]
    return {
        size: {row[0].strip("`"): row[column] for row in cells}
        for column, size in enumerate(sizes.split(" | "), start=1)
    }


def test_the_documented_settings_are_those_of_the_code() -> None:
    """Operators copy them for servers of their own."""
    table = documented()

    assert len(table) >= 3
    for size, settings in table.items():
        memory_bytes = int(size.removesuffix(" GiB")) << 30
        assert settings == sized_settings.of_postgres(memory_bytes) | sized_settings.of_valkey(memory_bytes), size


def test_a_tiny_machine_gets_the_smallest_settings() -> None:
    assert sized_settings.of_postgres(1 << 20)["shared_buffers"] == "128MB"
    assert sized_settings.of_valkey(1 << 20) == {"maxmemory": "128MB"}


def test_the_servers_of_run_get_them(server_folder: Path) -> None:
    """What `./run` starts must be what is documented."""
    memory_bytes = MachineSize.read().memory_bytes
    with EmbeddedPostgres(server_folder / "postgres") as postgres, psycopg.connect(postgres.url) as connection:
        for name, value in sized_settings.of_postgres(memory_bytes).items():
            row = connection.execute(
                "SELECT pg_size_bytes(current_setting(%(name)s)) = pg_size_bytes(%(value)s)"
                if value.endswith("MB")
                else "SELECT current_setting(%(name)s) = %(value)s",
                {"name": name, "value": value},
            ).fetchone()
            assert row == (True,), name
    with EmbeddedValkey(server_folder / "valkey") as valkey, redis.Redis.from_url(valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        limit = client.config_get("maxmemory")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - **kwargs
        mebibytes = int(sized_settings.of_valkey(memory_bytes)["maxmemory"].removesuffix("MB"))
        assert limit == {"maxmemory": str(mebibytes << 20)}


def test_servers_of_tests_stay_small(server_folder: Path) -> None:
    """Several run at a time, and a large cache makes each start dearer."""
    with (
        EmbeddedPostgres(server_folder / "postgres", ephemeral=True) as postgres,
        psycopg.connect(postgres.url) as connection,
    ):
        assert connection.execute("SHOW shared_buffers").fetchone() == ("128MB",)
