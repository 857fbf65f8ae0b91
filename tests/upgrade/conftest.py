import itertools
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.chaos.managed_process import Program
from dev.embedded.servers import Servers
from store.postgres import migrator
from tests.conftest import execute
from tests.support.pipeline import Pipeline

NUMBERS = itertools.count(1)
HERE = Path(__file__).parent
RELEASES = ("0.1.0",)
"""Those whose processes and queues this version gets along with; kept by `python -m dev.release`."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version that was released, as far as it was kept."""

    version: str
    code: Path

    def worker(self, pipeline: Pipeline, folder: Path, **environment: str) -> Program:
        """Its worker, not started yet, on the pipeline's servers."""
        urls = {"DATABASE_URL": pipeline.database_url, "REDIS_URL": pipeline.redis_url}
        worker = Program(
            "worker", urls | environment, folder / f"worker-{self.version}-{next(NUMBERS)}.log", code=self.code
        )
        pipeline.workers.append(worker)
        return worker

    def api(self, pipeline: Pipeline, folder: Path, **environment: str) -> Program:
        """Its api, not started yet, on the pipeline's database."""
        settings = {"DATABASE_URL": pipeline.database_url, "DATA_DIR": str(folder)}
        return Program("api", settings | environment, folder / f"api-{self.version}.log", code=self.code)

    def migrate(self, database_url: str) -> list[str]:
        """Bring the database up to this release."""
        return migrator.migrate(database_url, folder=self.code / "store" / "migrations")

    @property
    def entries(self) -> list[dict[bytes, bytes]]:
        """The stream entries that its ingest wrote."""
        kept = json.loads((HERE / self.version / "entries.json").read_text())
        return [{name.encode(): value.encode("latin-1") for name, value in entry.items()} for entry in kept]

    @property
    def spool(self) -> Path:
        """A spool that its ingest left."""
        return HERE / self.version / "one.spool"


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    version: str = request.param
    code = tmp_path_factory.mktemp(f"release-{version}")
    with tarfile.open(HERE / version / "code.tar.xz") as archive:
        archive.extractall(code, filter="data")
    return Release(version, code)


@pytest.fixture
def new_pipeline(servers: Servers, migrated: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Makes pipelines that have nothing in common but the servers; `empty` ones have a database without any table."""
    made: list[tuple[str, Pipeline]] = []

    def make(*, empty: bool = False) -> Pipeline:
        name = f"upgrade_{next(NUMBERS)}"
        if empty:
            execute(servers, "CREATE DATABASE {}", name)
        else:
            execute(servers, "CREATE DATABASE {} TEMPLATE {}", name, migrated)
        url = redis_url.replace("db=0", f"db={len(made)}")
        made.append((name, Pipeline(servers.postgres.url_of(name), url, tmp_path)))
        return made[-1][1]

    yield make
    for name, pipeline in made:
        pipeline.close()
        execute(servers, "DROP DATABASE {} WITH (FORCE)", name)
