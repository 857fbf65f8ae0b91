import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.embedded.servers import Servers
from tests.conftest import execute
from tests.support.pipeline import Pipeline

NUMBERS = itertools.count(1)


@pytest.fixture
def new_pipeline(servers: Servers, migrated: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[[], Pipeline]]:
    """Makes pipelines that have nothing in common but the servers: each a database and a Redis database of its own."""
    made: list[tuple[str, Pipeline]] = []

    def make() -> Pipeline:
        name = f"fault_{next(NUMBERS)}"
        execute(servers, "CREATE DATABASE {} TEMPLATE {}", name, migrated)
        url = redis_url.replace("db=0", f"db={len(made)}")
        made.append((name, Pipeline(servers.postgres.url_of(name), url, tmp_path)))
        return made[-1][1]

    yield make
    for name, pipeline in made:
        pipeline.close()
        execute(servers, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def pipeline(new_pipeline: Callable[[], Pipeline]) -> Pipeline:
    return new_pipeline()
