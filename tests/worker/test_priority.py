import os
import subprocess
import sys

import pytest

from dev.checkout import ROOT
from worker.priority import AUTOGROUP

SET_AND_PRINT = """
import os
from worker import priority

def read():
    try:
        return priority.AUTOGROUP.read_text().split()[-1:]
    except OSError:
        return []

priority.set_nice(11)
print(os.getpriority(os.PRIO_PROCESS, 0), *read())
"""


def groups_sessions() -> bool:
    """Whether the kernel groups this session: not on other systems, and not in a container with a share of its own."""
    try:
        return bool(AUTOGROUP.read_text().split())
    except OSError:
        return False


def nice_values(*, leads_session: bool) -> list[str]:
    """Return the nice value of a process, and that of its session where there is one."""
    return subprocess.run(
        [sys.executable, "-c", SET_AND_PRINT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=leads_session,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


@pytest.mark.parametrize("leads_session", [True, False])
def test_a_worker_yields_to_other_processes(*, leads_session: bool) -> None:
    assert nice_values(leads_session=leads_session)[0] == "11"


@pytest.mark.skipif(not groups_sessions(), reason="the kernel does not group this session")
@pytest.mark.parametrize("leads_session", [True, False])
def test_a_worker_yields_to_other_sessions_only_if_its_session_is_its_own(*, leads_session: bool) -> None:
    """Otherwise, ingest in the same session would yield as well."""
    own = AUTOGROUP.read_text().split()[-1]

    assert nice_values(leads_session=leads_session) == ["11", "11" if leads_session else own]
