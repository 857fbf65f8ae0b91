"""Reads CPU seconds and resident bytes of processes on Linux. On other systems it returns 0, shown as unknown."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class UsageMeter:
    """A meter of the CPU seconds that groups of processes use after `start`."""

    groups: Mapping[str, Sequence[int]]
    """The ids of the processes of each group."""
    _before: Mapping[str, float]

    @classmethod
    def start(cls, groups: Mapping[str, Sequence[int]]) -> Self:
        return cls(groups, _group_cpu_seconds(groups))

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds of each group so far."""
        return {name: seconds - self._before[name] for name, seconds in _group_cpu_seconds(self.groups).items()}


def _group_cpu_seconds(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, pids)) for name, pids in groups.items()}


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and all its descendants, including ended ones."""
    return sum(_process_cpu_seconds(one) for one in process_tree(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident bytes of this process alone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def process_tree(pid: int) -> list[int]:
    """Return the process and all its running descendants."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat_fields(path)
        if fields:
            children[int(fields[1])].append(int(path.parent.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def _process_cpu_seconds(pid: int) -> float:
    fields = _stat_fields(Path(f"/proc/{pid}/stat"))
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_SECOND if fields else 0.0


def _stat_fields(path: Path) -> list[str]:
    """Return the fields after the name (which may contain anything): state, parent and so on."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []
