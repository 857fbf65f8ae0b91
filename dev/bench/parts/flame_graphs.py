"""Records a flame graph of each process under load with py-spy, into `docs/performance/`.

Only the time in which a thread holds Python's lock is drawn, not the time waiting for servers.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from dev.bench import stream_backlog
from dev.bench.errors import BrokenPromiseError
from dev.bench.load.load import LoadSpec
from dev.bench.load.sample_webhooks import Senders
from dev.bench.parts.memory import poll_api
from dev.bench.results.results import ResultTable
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers, StartedProcess
from dev.checkout import ROOT

OUTPUT_FOLDER = ROOT / "docs" / "performance"
WARMUP_SECONDS = 1.5
"""The time in seconds before recording starts, so that imports and first query plans are not recorded."""
SAMPLES_PER_SECOND = 200
"""Per second."""
INTERACTIVE_MARKUP = re.compile(
    r"<script.*?</script>|<text id=\"(?:unzoom|search|matched)\".*?</text>| onload=\"[^\"]*\"", re.DOTALL
)
"""The script that py-spy adds for clicking. A page that embeds the image does not run it."""
TITLE_MARKUP = re.compile(r"(<text id=\"title\"[^>]*>)[^<]*")
BACKLOG_EVENTS_PER_SECOND = 15_000
"""More events per second of recording than a worker can drain."""


def run(lab: BenchServers, plan: BenchmarkScale) -> list[ResultTable]:
    seconds = max(2, round(plan.run_seconds * 2))
    with lab.redis() as client, lab.database() as database_url:
        stream_backlog.fill(client, Senders(), round(BACKLOG_EVENTS_PER_SECOND * (seconds + WARMUP_SECONDS)))
        with lab.start_module("worker", database_url) as worker:
            _record_flame_graph(worker, "worker", seconds)
        with lab.start_module("api", database_url) as api:
            over = threading.Event()
            readers = [threading.Thread(target=poll_api, args=[api, over]) for _ in range(4)]
            for reader in readers:
                reader.start()
            _record_flame_graph(api, "api", seconds)
            over.set()
            for reader in readers:
                reader.join()
    with lab.redis(), lab.start_module("ingest") as ingest:
        running = LoadSpec(ingest.port, 64, seconds=seconds + 2 * WARMUP_SECONDS).start()
        _record_flame_graph(ingest, "ingest", seconds)
        running.wait().require_all_acknowledged()
    return [
        ResultTable("flame graphs", (), tuple(f"docs/performance/{name}.svg" for name in ("worker", "api", "ingest")))
    ]


def _record_flame_graph(process: StartedProcess, name: str, seconds: int) -> None:
    time.sleep(WARMUP_SECONDS)
    OUTPUT_FOLDER.mkdir(parents=True, exist_ok=True)
    py_spy = Path(sys.executable).with_name("py-spy")
    command = [
        str(py_spy),
        "record",
        "--pid",
        str(process.pid),
        "--duration",
        str(seconds),
        "--rate",
        str(SAMPLES_PER_SECOND),
    ]
    command += ["--gil", "--function", "--format", "flamegraph", "--output", str(OUTPUT_FOLDER / f"{name}.svg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BrokenPromiseError(f"py-spy could not look at {name}: {done.stderr.strip()[-300:]}")
    _clean_svg(OUTPUT_FOLDER / f"{name}.svg", name)


def _clean_svg(picture: Path, name: str) -> None:
    """Replace py-spy's title, which contains a command line and a folder, by a description."""
    drawn = INTERACTIVE_MARKUP.sub("", picture.read_text(encoding="utf-8"))
    picture.write_text(TITLE_MARKUP.sub(rf"\g<1>{name} under load", drawn), encoding="utf-8")
