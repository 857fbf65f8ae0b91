"""Places where a fault rig may end or stop the process: `SAK_FAILPOINT=ingest.after_xadd:kill`, several by commas.

An action may carry how many passes it lets by: `ingest.after_xadd:kill@100`. Without the variable nothing happens.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping

from telemetry.errors import SettingsError

STALL_SECONDS = 5.0


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stall() -> None:
    time.sleep(STALL_SECONDS)


ACTIONS: Mapping[str, Callable[[], None]] = {"kill": _kill, "stall": _stall}


class Failpoints:
    """What the rig wants to happen, by the name of the place."""

    def __init__(self, spec: str = "") -> None:
        """Read `place:action[@passes]`, separated by commas; raises SettingsError."""
        self._plan: dict[str, tuple[Callable[[], None], int]] = {}
        for part in filter(None, spec.split(",")):
            place, _, action = part.partition(":")
            name, _, passes = action.partition("@")
            if name not in ACTIONS or not (passes or "0").isdecimal():
                raise SettingsError(f"SAK_FAILPOINT: {part!r} is not place:{'|'.join(ACTIONS)}[@passes]")
            self._plan[place] = (ACTIONS[name], int(passes or "0"))

    def reach(self, name: str) -> None:
        """The process is at this place now."""
        if not self._plan or name not in self._plan:
            return
        action, passes = self._plan[name]
        if passes:
            self._plan[name] = (action, passes - 1)
        else:
            action()
