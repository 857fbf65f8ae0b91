"""Yields the processor to other processes, above all to ingest.

An event that is acknowledged late is lost, because SAK gives up after 8 seconds. One that is stored late is not.
"""

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Linux may divide the processor between sessions of the operating system first, and between the processes of a session
only then.
"""


def set_nice(value: int) -> None:
    """Set the nice value of this process, and that of its session if it leads one. Call this before threads start."""
    with contextlib.suppress(OSError):  # it already has a higher value, which only an administrator may lower
        os.setpriority(os.PRIO_PROCESS, 0, value)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # another system, or a kernel without these groups
            AUTOGROUP.write_text(str(value))
