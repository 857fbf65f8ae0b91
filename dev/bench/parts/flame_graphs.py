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
from dev.bench.errors import WrongResultError
from dev.bench.load.load import LoadSpec
from dev.bench.load.sample_webhooks import SampleSenders
from dev.bench.parts.memory import poll_api
from dev.bench.results.results import ResultTable
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers, StartedProcess
from dev.checkout import ROOT

OUTPUT_FOLDER = ROOT / "docs" / "performance"
WARMUP_SECONDS = 1.5
"""The time in seconds before recording starts, so that imports and first query plans are not recorded."""
SAMPLES_PER_SECOND = 200
"""The number of samples of the stack per second."""
INTERACTIVE_MARKUP = re.compile(
    r"<script.*?</script>|<text id=\"(?:unzoom|search|matched)\".*?</text>| onload=\"[^\"]*\"", re.DOTALL
)
"""The script that py-spy adds for clicking. A page that embeds the image does not run it."""
TITLE_MARKUP = re.compile(r"(<text id=\"title\"[^>]*>)[^<]*")
BACKLOG_EVENTS_PER_SECOND = 15_000
"""More events per second of recording than a worker can drain."""


def run(servers: BenchServers, scale: BenchmarkScale) -> list[ResultTable]:
    seconds = max(2, round(scale.run_seconds * 2))
    with servers.redis() as client, servers.database() as database_url:
        stream_backlog.fill(client, SampleSenders(), round(BACKLOG_EVENTS_PER_SECOND * (seconds + WARMUP_SECONDS)))
        with servers.start_module("worker", database_url) as worker:
            _record_flame_graph(worker, "worker", seconds)
        with servers.start_module("api", database_url) as api:
            over = threading.Event()
            readers = [threading.Thread(target=poll_api, args=[api, over]) for _ in range(4)]
            for reader in readers:
                reader.start()
            _record_flame_graph(api, "api", seconds)
            over.set()
            for reader in readers:
                reader.join()
    with servers.redis(), servers.start_module("ingest") as ingest:
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
        raise WrongResultError(f"py-spy could not record {name}: {done.stderr.strip()[-300:]}")
    _clean_svg(OUTPUT_FOLDER / f"{name}.svg", name)


def _clean_svg(picture: Path, name: str) -> None:
    """Replace py-spy's title, which contains a command line and a folder, by a description."""
    drawn = INTERACTIVE_MARKUP.sub("", picture.read_text(encoding="utf-8"))
    picture.write_text(TITLE_MARKUP.sub(rf"\g<1>{name} under load", drawn), encoding="utf-8")
