"""Defines a fault: a function that harms a running system and returns the time and the way to undo the harm."""

import random
from collections.abc import Callable
from typing import TypeAlias

from dev.chaos.system_under_test import SystemUnderTest

Undo: TypeAlias = Callable[[], None]
Fault: TypeAlias = Callable[[SystemUnderTest, random.Random], tuple[float, Undo]]
"""Injects the fault. Returns the seconds until the undo, and the undo. The system may change in the meantime."""


def no_undo() -> None:
    """Do nothing, because the supervisor restarts the process."""
