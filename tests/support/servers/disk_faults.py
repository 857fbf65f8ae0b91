"""Provides slow, failing, small or full disks. Skips the test if the machine cannot have them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from dev.chaos.faults.disk_shim import DiskShim
from tests.support import requirements


def build_shim(home: Path, disk: Path) -> DiskShim:
    """Build a shim for the files below `disk`. It injects no faults at first."""
    requirements.require("compiler")
    return DiskShim(home, disk)


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Generator[Path]:
    """Create the folder and mount a file system of its own on it."""
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        requirements.report_missing("a small disk of its own needs root on Linux, who may mount one")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        requirements.report_missing(f"a small disk of its own cannot be mounted here ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
