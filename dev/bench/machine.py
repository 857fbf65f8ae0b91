"""Describes the machine on which the figures were measured."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from dev.machine_size import MachineSize


def collect_facts() -> dict[str, object]:
    """Return facts about the machine and its present load."""
    size = MachineSize.read()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": size.cores,
        "memory_gib": round(size.memory_bytes / (1 << 30), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def summarize(facts: dict[str, object]) -> str:
    return (
        f"{facts['cores']} cores of {facts['processor']}, {facts['memory_gib']} GiB, {facts['system']}, "
        f"Python {facts['python']}, {facts['date']}; load before the start {facts['load_before']}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
