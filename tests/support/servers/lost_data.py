"""Makes a Valkey lose its data."""

import shutil
from typing import cast

import redis

from dev.embedded.valkey import EmbeddedValkey
from tests.support.waiting import wait_until

DATA = "appendonlydir"
"""The folder that contains all data of Valkey."""


def lose_everything(valkey: EmbeddedValkey) -> None:
    """Kill Valkey and start it empty."""
    valkey.kill()
    shutil.rmtree(valkey.folder / DATA)
    valkey.start()


def wait_for_connections(valkey: EmbeddedValkey) -> None:
    """Return when ingest has both connections for appending. The second one requests the newest id of the stream."""
    with redis.Redis.from_url(valkey.url) as client:  # pyright: ignore[reportUnknownMemberType] - **kwargs
        wait_until(lambda: b"cmd=xinfo|stream" in cast("bytes", client.execute_command("CLIENT", "LIST")))  # pyright: ignore[reportUnknownMemberType] - **kwargs
