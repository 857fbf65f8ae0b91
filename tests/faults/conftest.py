import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.embedded.servers import EmbeddedServers
from tests.conftest import run_admin
from tests.support.pipeline import WorkerPipeline

DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture
def make_pipeline(
    servers: EmbeddedServers, template_database: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[[], WorkerPipeline]]:
    """Makes pipelines that have nothing in common but the servers: each a database and a Redis database of its own."""
    made: list[tuple[str, WorkerPipeline]] = []

    def make() -> WorkerPipeline:
        name = f"fault_{next(DATABASE_NUMBERS)}"
        run_admin(servers, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
        url = redis_url.replace("db=0", f"db={len(made)}")
        made.append((name, WorkerPipeline(servers.postgres.url_of(name), url, tmp_path)))
        return made[-1][1]

    yield make
    for name, pipeline in made:
        pipeline.close()
        run_admin(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def pipeline(make_pipeline: Callable[[], WorkerPipeline]) -> WorkerPipeline:
    return make_pipeline()
