"""Kills or stalls the process at a named point, for fault tests: `SAK_FAILPOINT=ingest.after_xadd:kill`.

Several are separated by commas. `ingest.after_xadd:kill@100` skips the first 100 passes. Without the variable, nothing
happens.
"""

import signal
import time
from collections.abc import Callable, Mapping
from functools import partial

from telemetry.errors import SettingsError

ACTIONS: Mapping[str, Callable[[], None]] = {
    "kill": partial(signal.raise_signal, signal.SIGKILL),
    "stall": partial(time.sleep, 5.0),
}


class Failpoints:
    """The actions of SAK_FAILPOINT, by failpoint."""

    def __init__(self, spec: str = "") -> None:
        """Parse `name:action[@passes]`, separated by commas. Raises SettingsError."""
        self._plan: dict[str, tuple[Callable[[], None], int]] = {}
        for part in filter(None, spec.split(",")):
            name, _, action_spec = part.partition(":")
            action, _, passes = action_spec.partition("@")
            if action not in ACTIONS or not (passes or "0").isdecimal():
                raise SettingsError(f"SAK_FAILPOINT: {part!r} is not name:{'|'.join(ACTIONS)}[@passes]")
            self._plan[name] = (ACTIONS[action], int(passes or "0"))

    def reach(self, name: str) -> None:
        """Run the action of this failpoint if it has one."""
        if name not in self._plan:
            return
        action, passes = self._plan[name]
        if passes:
            self._plan[name] = (action, passes - 1)
        else:
            action()
