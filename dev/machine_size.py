"""Reads the size of the machine, or of the container that limits it."""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CGROUPS = Path("/sys/fs/cgroup")
"""The folder with the limits of containers, in version 2 of Linux' control groups."""
MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class MachineSize:
    cores: int
    memory_bytes: int

    @classmethod
    def read(cls, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Self:
        """Return the cores and the memory that this process may use. A share of a core counts as a core."""
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for folder in _limiting_folders(cgroups, membership):
            quota, _, period = _read(folder / "cpu.max").partition(" ")
            if quota.isdigit() and period.isdigit():
                cores = min(cores, math.ceil(int(quota) / int(period)))
            limit = _read(folder / "memory.max")
            if limit.isdigit():  # `max` is no limit
                memory_bytes = min(memory_bytes, int(limit))
        return cls(cores, memory_bytes)


def _limiting_folders(cgroups: Path, membership: Path) -> Iterator[Path]:
    """Return the folder of this process' group and those of the groups that contain it."""
    lines = _read(membership).splitlines()
    group = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    folder = cgroups / group
    yield folder
    yield from (parent for parent in folder.parents if parent.is_relative_to(cgroups))


def _read(path: Path) -> str:
    """Return the content of a file, or nothing if there is no such file."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
