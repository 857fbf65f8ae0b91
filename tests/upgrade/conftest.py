import itertools
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.chaos.managed_process import ManagedProcess
from dev.embedded.servers import EmbeddedServers
from store.postgres import migrator
from tests.conftest import run_admin
from tests.support.pipeline import WorkerPipeline

DATABASE_NUMBERS = itertools.count(1)
RELEASES_FOLDER = Path(__file__).parent
RELEASES = ("0.1.0",)
"""Those whose processes and queues this version gets along with; kept by `python -m dev.release`."""


@dataclass(frozen=True, slots=True)
class OldRelease:
    """A version that was released, as far as it was kept."""

    version: str
    code_folder: Path

    def create_worker(self, pipeline: WorkerPipeline, folder: Path, **environment: str) -> ManagedProcess:
        """Its worker, not started yet, on the pipeline's servers."""
        urls = {"DATABASE_URL": pipeline.database_url, "REDIS_URL": pipeline.redis_url}
        worker = ManagedProcess(
            "worker",
            urls | environment,
            folder / f"worker-{self.version}-{next(DATABASE_NUMBERS)}.log",
            code_folder=self.code_folder,
        )
        pipeline.workers.append(worker)
        return worker

    def create_api(self, pipeline: WorkerPipeline, folder: Path, **environment: str) -> ManagedProcess:
        """Its api, not started yet, on the pipeline's database."""
        settings = {"DATABASE_URL": pipeline.database_url, "DATA_DIR": str(folder)}
        return ManagedProcess(
            "api", settings | environment, folder / f"api-{self.version}.log", code_folder=self.code_folder
        )

    def migrate(self, database_url: str) -> list[str]:
        """Bring the database up to this release."""
        return migrator.migrate(database_url, folder=self.code_folder / "store" / "migrations")

    @property
    def stream_entries(self) -> list[dict[bytes, bytes]]:
        """The stream entries that its ingest wrote."""
        kept = json.loads((RELEASES_FOLDER / self.version / "entries.json").read_text())
        return [{name.encode(): value.encode("latin-1") for name, value in entry.items()} for entry in kept]

    @property
    def spool_path(self) -> Path:
        """A spool that its ingest left."""
        return RELEASES_FOLDER / self.version / "one.spool"


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OldRelease:
    version: str = request.param
    code = tmp_path_factory.mktemp(f"release-{version}")
    with tarfile.open(RELEASES_FOLDER / version / "code.tar.xz") as archive:
        archive.extractall(code, filter="data")
    return OldRelease(version, code)


@pytest.fixture
def make_pipeline(
    servers: EmbeddedServers, template_database: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., WorkerPipeline]]:
    """Makes pipelines that have nothing in common but the servers; `empty` ones have a database without any table."""
    made: list[tuple[str, WorkerPipeline]] = []

    def make(*, empty: bool = False) -> WorkerPipeline:
        name = f"upgrade_{next(DATABASE_NUMBERS)}"
        if empty:
            run_admin(servers, "CREATE DATABASE {}", name)
        else:
            run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
        url = redis_url.replace("db=0", f"db={len(made)}")
        made.append((name, WorkerPipeline(servers.postgres.url_of(name), url, tmp_path)))
        return made[-1][1]

    yield make
    for name, pipeline in made:
        pipeline.close()
        run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)
