import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.checkout import ROOT

PRINT = """
import os
from pathlib import Path
from worker import priority
priority.set_nice(11)
print(os.getpriority(os.PRIO_PROCESS, 0), Path("/proc/self/autogroup").read_text().split()[-1])
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group sessions")
@pytest.mark.parametrize("leads_session", [True, False])
def test_a_worker_yields_to_other_sessions_only_if_its_session_is_its_own(*, leads_session: bool) -> None:
    """Otherwise, ingest in the same session would yield as well."""
    own = Path("/proc/self/autogroup").read_text().split()[-1]

    printed = subprocess.run(
        [sys.executable, "-c", PRINT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=leads_session,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == ["11", "11" if leads_session else own]
