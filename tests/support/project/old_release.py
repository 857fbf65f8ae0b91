"""Runs the code of a released version from the git history, and provides the queue data that it wrote."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from dev.embedded.managed_process import ManagedProcess
from dev.release import queue_data, releases
from store.postgres import migrator
from tests.support.processes.pipeline import WorkerPipeline

LOG_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class OldRelease:
    version: str
    code_folder: Path

    @property
    def migrations_folder(self) -> Path:
        return self.code_folder / "store" / "migrations"

    @property
    def stream_entries(self) -> list[dict[bytes, bytes]]:
        """The stream entries that its ingest wrote."""
        entries = json.loads((releases.RELEASES_FOLDER / self.version / "entries.json").read_text(encoding="utf-8"))
        return [{name.encode(): queue_data.to_bytes(value) for name, value in entry.items()} for entry in entries]

    def restore_spool(self, path: Path) -> None:
        """Write the spool file that its ingest left."""
        dump = json.loads((releases.RELEASES_FOLDER / self.version / "spool.json").read_text(encoding="utf-8"))
        queue_data.restore_spool(dump, path)

    def create_worker(self, pipeline: WorkerPipeline, folder: Path, **environment: str) -> ManagedProcess:
        """Create its worker on the servers of the pipeline, without starting it."""
        urls = {"DATABASE_URL": pipeline.database_url, "REDIS_URL": pipeline.redis_url}
        log_path = folder / f"worker-{self.version}-{next(LOG_NUMBERS)}.log"
        worker = ManagedProcess("worker", urls | environment, log_path, code_folder=self.code_folder)
        pipeline.workers.append(worker)
        return worker

    def create_api(self, pipeline: WorkerPipeline, folder: Path, **environment: str) -> ManagedProcess:
        """Create its API on the database of the pipeline, without starting it."""
        settings = {"DATABASE_URL": pipeline.database_url, "DATA_DIR": str(folder)}
        log_path = folder / f"api-{self.version}.log"
        return ManagedProcess("api", settings | environment, log_path, code_folder=self.code_folder)

    def migrate(self, database_url: str) -> list[str]:
        """Migrate the database to this release. Return the names of the applied migrations."""
        return migrator.migrate(database_url, folder=self.migrations_folder)
