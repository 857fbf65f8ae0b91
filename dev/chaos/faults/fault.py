"""What a fault is: a function that harms a running system, and says when and how to undo it."""

import random
from collections.abc import Callable
from typing import TypeAlias

from dev.chaos.system_under_test import SystemUnderTest

Undo: TypeAlias = Callable[[], None]
Fault: TypeAlias = Callable[[SystemUnderTest, random.Random], tuple[float, Undo]]
"""Injects the fault; returns the seconds until its undo, and the undo. The system may have changed until then."""


def no_undo() -> None:
    """Nothing: the supervisor restarts the process."""
