"""Makes the disk of one folder slow, failing or full, and the clock of a process wrong, while the process runs.

A C library is built with the machine's compiler and loaded into the process by LD_PRELOAD (`disk_shim.c`).
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
"""Factors from the values in Faults to those of the library: nanoseconds, parts per million, a flag, and nanoseconds
twice.
"""


@dataclass(frozen=True, slots=True)
class Faults:
    """The current faults of the disk and the clock."""

    sync_seconds: float = 0.0
    """The additional seconds that each sync takes."""
    sync_error_rate: float = 0.0
    """The share of syncs that fail with EIO."""
    is_full: bool = False
    """True to make writes fail with ENOSPC if they need more room. Existing parts of a file can be overwritten."""
    clock_offset_seconds: float = 0.0
    """The seconds added to the time of day. Monotonic clocks are not affected."""
    write_seconds: float = 0.0
    """The additional seconds that each write takes."""


class DiskShim:
    """The disk of one folder and the clock, as seen by processes that are started with `environment`."""

    def __init__(self, home: Path, disk: Path) -> None:
        """Build the library in `home`. `disk` is the folder whose files are affected. Raises StartError."""
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
        """Set these faults and no others. Running processes notice at their next call."""
        state = CONTROL.pack(*(round(value * unit) for value, unit in zip(astuple(faults), UNITS, strict=True)))
        # The file is written in place, because the processes have mapped it.
        control = os.open(self._control, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(control, state, 0)
        finally:
            os.close(control)


def find_compiler() -> str | None:
    """Return the path of the C compiler, or None if there is none, or if LD_PRELOAD does not work as on Linux."""
    return shutil.which("cc") if sys.platform == "linux" else None
