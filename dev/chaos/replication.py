"""Creates and promotes standbys of PostgreSQL and replicas of Valkey."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import psycopg
import redis

from dev.embedded import binaries, child_process, system_user
from dev.embedded.postgres import ROLE, SERVER_ENVIRONMENT, EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from dev.errors import StartError

FOLLOW_SECONDS = 30.0
"""The time in seconds within which a new replica must have caught up."""


def create_standby(
    primary: EmbeddedPostgres, folder: Path, settings: Mapping[str, str], *, link_port: int | None = None
) -> EmbeddedPostgres:
    """Return a streaming standby in an empty folder, without starting it. Raises StartError.

    It follows the primary through the local port, or through the primary's socket.
    """
    link = {} if link_port is None else {"primary_conninfo": f"host=127.0.0.1 port={link_port} user={ROLE}"}
    server = EmbeddedPostgres(folder, ephemeral=True, settings={**settings, **link})
    user = system_user.for_data_folder(primary.folder / "data")
    data = server.folder / "data"
    data.mkdir(mode=0o700)
    if user:
        user.give_ownership(data)
    programs = binaries.find_postgres(primary.folder, user, None)
    copy = [str(programs / "pg_basebackup"), "-D", str(data), "-h", str(primary.socket_folder), "-U", ROLE, "-R"]
    process = child_process.start(
        [*copy, "-c", "fast", "--no-sync"], subprocess.PIPE, environment=SERVER_ENVIRONMENT, user=user
    )
    output, _ = process.communicate()
    if process.returncode:
        raise StartError(f"pg_basebackup failed: {output.decode(errors='replace').strip()}")
    return server


def has_standby(primary: EmbeddedPostgres) -> bool:
    """Return whether a standby has received everything from the primary except at most the last MiB."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        row = connection.execute(
            """
            SELECT bool_or(state = 'streaming' AND pg_current_wal_lsn() - flush_lsn < 1 << 20)
            FROM pg_stat_replication
            """
        ).fetchone()
    return row == (True,)


def promote(standby: EmbeddedPostgres) -> None:
    """Promote the standby and return once it accepts writes."""
    with psycopg.connect(standby.url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_promote(wait_seconds => 60) AND NOT pg_is_in_recovery()").fetchone()
    if row != (True,):
        raise StartError(f"The standby on {standby.folder} was not promoted.")


def follow(replica: EmbeddedValkey, link_port: int) -> None:
    """Make the Valkey follow the one behind the local port, and wait until it has caught up. Raises StartError."""
    with _client(replica) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(link_port))  # pyright: ignore[reportUnknownMemberType] - *args
    end = time.monotonic() + FOLLOW_SECONDS
    while not is_following(replica):
        if time.monotonic() > end:
            raise StartError(f"The replica on {replica.folder} does not follow.")
        time.sleep(0.05)


def is_following(replica: EmbeddedValkey) -> bool:
    """Return whether the connection to its primary is up."""
    with _client(replica) as client:
        facts = cast("dict[str, object]", client.info("replication"))  # pyright: ignore[reportUnknownMemberType] - *args
    return facts.get("master_link_status") == "up"


def take_over(replica: EmbeddedValkey) -> None:
    """Make the replica a primary with the data that it has received."""
    with _client(replica) as client:
        client.execute_command("REPLICAOF", "NO", "ONE")  # pyright: ignore[reportUnknownMemberType] - *args


def _client(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs
