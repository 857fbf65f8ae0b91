"""`python -m worker adopt --yes`: makes the configured database the one that stores the events of the stream."""

# ruff: noqa: T201 - a command prints its answer

import sys
from collections.abc import Mapping, Sequence

from redis.exceptions import RedisError

from store.postgres import connections
from store.postgres.errors import StoreError
from worker import redis_client
from worker.drain.database_marker import DatabaseMarker
from worker.drain.stream import StreamConsumer

DONE, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Adopt the database named by the environment, or print what that would do. Raises SettingsError."""
    if list(arguments) not in ([], ["--yes"]):
        print("usage: python -m worker adopt --yes", file=sys.stderr)
        return USAGE
    client = redis_client.connect(environ.get("REDIS_URL", ""))
    url = connections.url(environ)
    try:
        with client, connections.open(url, "adopt") as connection:
            stream = StreamConsumer(client, "adopt")
            state, target = stream.state(), f"{connection.info.dbname} at {connection.info.host}"
            if not arguments:
                print(
                    f"Would store the {state.length} batches of the stream in the database {target}, and refuse every"
                    " other database from then on. Run it again with --yes."
                )
                return DONE
            DatabaseMarker(stream).adopt(connection)
    except (StoreError, RedisError) as error:
        print(f"adopt: {error if isinstance(error, StoreError) else type(error).__name__}", file=sys.stderr)
        return FAILED
    print(f"Workers store the {state.length} batches of the stream in the database {target}.")
    return DONE
