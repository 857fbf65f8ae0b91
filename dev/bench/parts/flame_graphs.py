"""Where the time goes under load: a flame graph of each process, by py-spy, into `docs/performance/`.

Only what holds Python's lock is drawn: waiting for a server is no work of ours.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from dev.bench import stream_backlog
from dev.bench.errors import WrongError
from dev.bench.load import Load
from dev.bench.parts.memory import read_restlessly
from dev.bench.results import Table
from dev.bench.sample_webhooks import Crowd
from dev.bench.scale import Plan
from dev.bench.testbed import Lab, Started
from dev.checkout import ROOT

FOLDER = ROOT / "docs" / "performance"
SETTLING = 1.5
"""Seconds before the first look: imports and first plans are not what is asked about."""
LOOKS = 200
"""Per second."""
NOT_THE_PICTURE = re.compile(
    r"<script.*?</script>|<text id=\"(?:unzoom|search|matched)\".*?</text>| onload=\"[^\"]*\"", re.DOTALL
)
"""What py-spy adds for clicking: a page that shows the picture does not run it."""
TITLE = re.compile(r"(<text id=\"title\"[^>]*>)[^<]*")
BACKLOG = 15_000
"""More events per second of looking than a worker drains."""


def run(lab: Lab, plan: Plan) -> list[Table]:
    seconds = max(2, round(plan.seconds * 2))
    with lab.redis() as client, lab.database() as database_url:
        stream_backlog.fill(client, Crowd(), round(BACKLOG * (seconds + SETTLING)))
        with lab.ours("worker", database_url) as worker:
            _draw(worker, "worker", seconds)
        with lab.ours("api", database_url) as api:
            over = threading.Event()
            readers = [threading.Thread(target=read_restlessly, args=[api, over]) for _ in range(4)]
            for reader in readers:
                reader.start()
            _draw(api, "api", seconds)
            over.set()
            for reader in readers:
                reader.join()
    with lab.redis(), lab.ours("ingest") as ingest:
        running = Load(ingest.port, 64, seconds=seconds + 2 * SETTLING).begin()
        _draw(ingest, "ingest", seconds)
        running.outcome().clean()
    return [Table("flame graphs", (), tuple(f"docs/performance/{name}.svg" for name in ("worker", "api", "ingest")))]


def _draw(process: Started, name: str, seconds: int) -> None:
    time.sleep(SETTLING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    py_spy = Path(sys.executable).with_name("py-spy")
    command = [str(py_spy), "record", "--pid", str(process.pid), "--duration", str(seconds), "--rate", str(LOOKS)]
    command += ["--gil", "--function", "--format", "flamegraph", "--output", str(FOLDER / f"{name}.svg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WrongError(f"py-spy could not look at {name}: {done.stderr.strip()[-300:]}")
    _tidy(FOLDER / f"{name}.svg", name)


def _tidy(picture: Path, name: str) -> None:
    """Let the title say what is drawn, where py-spy says how it was called and from which folder."""
    drawn = NOT_THE_PICTURE.sub("", picture.read_text(encoding="utf-8"))
    picture.write_text(TITLE.sub(rf"\g<1>{name} under load", drawn), encoding="utf-8")
