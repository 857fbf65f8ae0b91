"""Defines the timeouts of tests that send messages through the pretend gateway."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from api.gateway.timeouts import Timeouts
from tests.support.history.history_writer import ApiClient

FAST_TIMEOUTS = Timeouts(connect=2.0, attempt=1.0, total=5.0, pause=0.001)
"""Retries almost without a pause."""
SHORT_TIMEOUTS = replace(FAST_TIMEOUTS, total=0.5)
"""For responses that never arrive."""
SESSION_ID = "11111111-2222-4333-8444-555555555555"
RECIPIENT_PHONE = "919811000009"
ApiStarter: TypeAlias = Callable[..., ApiClient]
