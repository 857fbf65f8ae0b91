"""Tests that a container's limits count as the size of the machine."""

from pathlib import Path

import pytest

from dev.machine_size import MachineSize


def limit(folder: Path, cpu: str, memory: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{cpu}\n")
    (folder / "memory.max").write_text(f"{memory}\n")


@pytest.mark.parametrize("group", ["0::/\n", "0::/system.slice/history.service\n", "0::/elsewhere\n", ""])
def test_a_limit_of_the_container_counts(tmp_path: Path, group: str) -> None:
    """Without it, PostgreSQL would take a quarter of the host's memory, and be killed."""
    (tmp_path / "cgroup").write_text(f"9:memory:/old\n{group}")
    limit(tmp_path / "groups", "50000 100000", str(512 << 20))

    assert MachineSize.read(tmp_path / "groups", tmp_path / "cgroup") == MachineSize(1, 512 << 20)


def test_the_smallest_limit_of_a_group_and_those_around_it_counts(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/system.slice/history.service\n")
    limit(tmp_path / "groups" / "system.slice", "max 100000", str(256 << 20))
    limit(tmp_path / "groups" / "system.slice" / "history.service", "100000 100000", str(1 << 30))

    assert MachineSize.read(tmp_path / "groups", tmp_path / "cgroup") == MachineSize(1, 256 << 20)


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    limit(tmp_path / "groups", "max 100000", "max")
    unlimited = MachineSize.read(tmp_path / "groups", tmp_path / "cgroup")

    assert unlimited == MachineSize.read(tmp_path / "none", tmp_path / "none")
    assert unlimited.cores >= 1
    assert unlimited.memory_bytes > 64 << 20
