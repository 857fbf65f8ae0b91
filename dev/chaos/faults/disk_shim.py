"""Makes the disk of one folder slow, failing or full, and a process' clock wrong, while the process runs.

A library in C is built with the machine's compiler and loaded into the process by LD_PRELOAD (`disk_shim.c`).
"""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from dev.errors import StartError

SOURCE = Path(__file__).with_suffix(".c")
CONTROL = struct.Struct("=5q")
UNITS = (1e9, 1e6, 1, 1e9, 1e9)
"""Of the library's numbers, in those of Faults: nanoseconds, parts per million, a flag, nanoseconds twice."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The present state of disk and clock."""

    sync_seconds: float = 0.0
    """Seconds that each sync takes longer."""
    sync_error_rate: float = 0.0
    """Share of syncs that fail with EIO."""
    is_full: bool = False
    """Whether writes that need room fail with ENOSPC; what a file has can be written again."""
    clock_offset_seconds: float = 0.0
    """Seconds that are added to the time of day; monotonic clocks stay right."""
    write_seconds: float = 0.0
    """Seconds that each write takes longer."""


class DiskShim:
    """One folder's disk and the clock, as the processes see them that are started with `environment`."""

    def __init__(self, home: Path, disk: Path) -> None:
        """Build the library in `home`; `disk` is the folder whose files have the faults. Raises StartError."""
        compiler = find_compiler()
        if compiler is None:
            raise StartError("A disk shim is built with cc on Linux: install a C compiler.")
        library, self._control = home / "disk_shim.so", home / "disk_shim.control"
        self.set()
        built = subprocess.run(
            [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode:
            raise StartError(f"{SOURCE.name} could not be compiled: {built.stderr.strip()}")
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "SAK_DISK_SHIM_CONTROL": str(self._control),
            "SAK_DISK_SHIM_FOLDER": str(disk.resolve()),
        }

    def set(self, faults: Faults = Faults()) -> None:
        """From now on these faults and no others; processes that run notice at their next call."""
        state = CONTROL.pack(*(round(value * unit) for value, unit in zip(astuple(faults), UNITS, strict=True)))
        # Written in place, because the processes have mapped the file.
        control = os.open(self._control, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(control, state, 0)
        finally:
            os.close(control)


def find_compiler() -> str | None:
    """The path of the C compiler; None where there is none, or no LD_PRELOAD as Linux has it."""
    return shutil.which("cc") if sys.platform == "linux" else None
