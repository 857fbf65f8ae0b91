"""Yields the processor to other processes, above all to ingest.

An event that is acknowledged late is lost, because SAK gives up after 8 seconds. One that is stored late is not.
"""

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""The file with the nice value of the session that this process belongs to. Linux may divide the processor between such
sessions first, and only then between the processes of each.
"""


def set_nice(value: int) -> None:
    """Set the nice value of this process, and that of its session if it leads one. Call this before threads start."""
    with contextlib.suppress(OSError):  # only an administrator may lower a value that is already higher
        os.setpriority(os.PRIO_PROCESS, 0, value)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # another system, or a kernel without these groups
            AUTOGROUP.write_text(str(value))
