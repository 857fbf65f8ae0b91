"""The process as an ASGI application: its parts, put together from the environment."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Mapping

from starlette.applications import Starlette
from starlette.routing import Route

from ingest import connection, settings
from ingest.batcher import Batcher
from ingest.breaker import Breaker
from ingest.counts import Counts
from ingest.drainer import Drainer
from ingest.failpoint import Failpoints
from ingest.hint import Hints
from ingest.keeper import Keeper
from ingest.memory import Memory
from ingest.signature import Signatures
from ingest.spool import Spool
from ingest.stream import Stream
from ingest.webhook import PATH, Webhook

CLOSE_SECONDS = 4.0
"""How long the last batches may take when the process ends: the stream's deadline and the spool's."""

log = logging.getLogger("ingest")


def create_app(environ: Mapping[str, str] = os.environ) -> Starlette:
    """Ingest, serving when its lifespan has begun; raises SettingsError."""
    wanted = settings.read(environ)
    counts = Counts()
    failpoints = Failpoints(wanted.failpoints)
    client = connection.connect(wanted.redis_url)
    unhurried = connection.connect(wanted.redis_url, reply_seconds=None)  # Stream has one deadline around everything
    streams = [Stream(unhurried, wanted.min_replicas, failpoints) for _ in range(2)]
    spool = Spool(wanted.spool_dir, wanted.spool_max_bytes)
    breaker, memory, hints = Breaker(counts), Memory(client), Hints(client, counts)
    keeper = Keeper(streams[0], spool, breaker, memory, hints, counts, failpoints)
    batcher = Batcher(keeper, spool, counts)
    drainer = Drainer(
        client, streams[1], spool, breaker, memory, hints, counts, failpoints, wanted.min_replicas, batcher.tell_tail
    )
    signatures = None if wanted.allow_unsigned else Signatures(wanted.secrets)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        if wanted.allow_unsigned:
            log.warning("WEBHOOK_ALLOW_UNSIGNED is set: whoever reaches this server can write messages")
        await spool.open()
        batching = asyncio.create_task(batcher.run())
        draining = asyncio.create_task(drainer.run())
        yield
        batcher.close()
        await asyncio.wait([batching], timeout=CLOSE_SECONDS)
        draining.cancel()
        await asyncio.wait([draining], timeout=CLOSE_SECONDS)
        await hints.close()
        await spool.close()
        for stream in streams:
            await stream.close()
        await client.aclose()
        await unhurried.aclose()

    webhook = Webhook(signatures, batcher, counts, wanted.max_body_bytes)
    return Starlette(lifespan=lifespan, routes=[Route(PATH, webhook)])
