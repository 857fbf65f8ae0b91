import os
from pathlib import Path

import pytest
import redis

from dev.embedded.valkey import EmbeddedValkey
from dev.errors import StartError


def ask(valkey: EmbeddedValkey, *command: str) -> object:
    with redis.Redis.from_url(valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        return client.execute_command(*command)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - *args


def test_confirmed_data_survives_a_kill(server_folder: Path) -> None:
    """An acknowledged webhook may exist only here."""
    with EmbeddedValkey(server_folder / "home") as valkey:
        ask(valkey, "SET", "kept", "1")
        valkey.kill()
        valkey.start()

        assert ask(valkey, "GET", "kept") == b"1"


def test_it_never_evicts_and_writes_through(server_folder: Path) -> None:
    """Eviction would drop acknowledged events silently, and so would a power failure without fsync."""
    with EmbeddedValkey(server_folder / "home") as valkey:
        found = {name: ask(valkey, "CONFIG", "GET", name) for name in ("maxmemory-policy", "appendonly", "appendfsync")}

    assert found == {
        "maxmemory-policy": {b"maxmemory-policy": b"noeviction"},
        "appendonly": {b"appendonly": b"yes"},
        "appendfsync": {b"appendfsync": b"always"},
    }


def test_settings_outrank_ours(server_folder: Path) -> None:
    """A test of full memory must not need to fill half a gigabyte."""
    with EmbeddedValkey(server_folder / "home", settings={"maxmemory": "3mb"}) as valkey:
        assert ask(valkey, "CONFIG", "GET", "maxmemory") == {b"maxmemory": b"3145728"}


def test_a_second_server_on_the_same_home_is_refused(server_folder: Path) -> None:
    """Two servers would destroy the append-only file, and Valkey itself does not check."""
    with EmbeddedValkey(server_folder / "home"), pytest.raises(StartError, match=f"in use by process {os.getpid()}"):
        EmbeddedValkey(server_folder / "home").start()


def test_an_orphan_is_ended_and_its_data_taken_over(server_folder: Path) -> None:
    """If the system has no death signal, a killed supervisor leaves the server behind."""
    orphaned = EmbeddedValkey(server_folder / "home")
    orphaned.start()
    ask(orphaned, "SET", "kept", "1")
    orphaned.lock.release()

    with EmbeddedValkey(server_folder / "home") as valkey:
        assert not orphaned.running
        assert ask(valkey, "GET", "kept") == b"1"
    orphaned.stop()


def test_a_server_that_cannot_start_says_why(server_folder: Path) -> None:
    with pytest.raises(StartError, match="no-such-setting"):
        EmbeddedValkey(server_folder / "home", settings={"no-such-setting": "1"}).start()
