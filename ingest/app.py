"""The process as an ASGI application: its parts, put together from the environment."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest import redis_client, responses, settings
from ingest.batch_store import BatchStore
from ingest.batcher import Batcher
from ingest.circuit_breaker import CircuitBreaker
from ingest.counters import Counters
from ingest.drain_jobs import DrainJobs
from ingest.health import Health
from ingest.metrics import IngestCollector
from ingest.queue.failpoints import Failpoints
from ingest.redis_memory import RedisMemory
from ingest.signature import SignatureVerifier
from ingest.spool import Spool
from ingest.spool_drainer import SpoolDrainer
from ingest.stream_appender import StreamAppender
from ingest.webhook import WEBHOOK_PATH, WebhookEndpoint
from telemetry import traces

SHUTDOWN_SECONDS = 4.0
"""How long the last batches may take when the process ends: the stream's deadline and the spool's."""

log = logging.getLogger("ingest")


def create_app(environ: Mapping[str, str] = os.environ) -> Starlette:
    """Ingest, serving when its lifespan has begun; raises SettingsError."""
    wanted = settings.read(environ)
    counts = Counters()
    failpoints = Failpoints(wanted.failpoints)
    client = redis_client.connect(wanted.redis_url)
    unhurried = redis_client.connect(wanted.redis_url, reply_timeout=None)  # Stream has one deadline around everything
    streams = [StreamAppender(unhurried, wanted.min_replicas, failpoints) for _ in range(2)]
    spool = Spool(wanted.spool_dir, wanted.spool_max_bytes)
    breaker, memory, hints = CircuitBreaker(counts), RedisMemory(client), DrainJobs(client, counts)
    keeper = BatchStore(streams[0], spool, breaker, memory, hints, counts, failpoints)
    spans = traces.configure("ingest", environ)
    batcher = Batcher(keeper, spool, counts, spans)
    drainer = SpoolDrainer(
        client,
        streams[1],
        spool,
        breaker,
        memory,
        hints,
        counts,
        failpoints,
        wanted.min_replicas,
        batcher.schedule_progress_batch,
    )
    signatures = None if wanted.allow_unsigned else SignatureVerifier(wanted.webhook_secrets)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, object]]:
        if wanted.allow_unsigned:
            log.warning("WEBHOOK_ALLOW_UNSIGNED is set: whoever reaches this server can write messages")
        await spool.open()
        batching = asyncio.create_task(batcher.run())
        draining = asyncio.create_task(drainer.run())
        for task in (batching, draining):
            task.add_done_callback(_terminate_on_failure)
        yield {"counts": counts}  # ingest.protocol refuses where no application has been asked yet
        batcher.close()
        await asyncio.wait([batching], timeout=SHUTDOWN_SECONDS)
        draining.cancel()
        await asyncio.wait([draining], timeout=SHUTDOWN_SECONDS)
        await hints.close()
        await spool.close()
        for stream in streams:
            await stream.close()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        await client.aclose()
        await unhurried.aclose()

    webhook = WebhookEndpoint(signatures, batcher, counts, wanted.max_body_bytes)
    health = Health(wanted, client, spool, breaker, memory)
    registry = CollectorRegistry()
    registry.register(IngestCollector(counts, spool, breaker, memory))

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route(WEBHOOK_PATH, webhook),
        Route(WEBHOOK_PATH + "/", webhook),  # a redirect would be lost on a sender that tries once
        Route("/healthz", health.liveness),
        Route("/readyz", health.readiness),
        Route("/metrics", metrics),
    ]
    handlers: dict[Any, Any] = {404: _not_found, 405: _method_not_allowed, Exception: _internal_error}
    return Starlette(lifespan=lifespan, routes=routes, exception_handlers=handlers)


def _terminate_on_failure(task: asyncio.Task[None]) -> None:
    """Without its batcher ingest would take requests and never answer: better a supervisor starts it anew."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("ingest cannot go on", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


async def _not_found(_: Request, __: Exception) -> Response:
    return _error_response(responses.NOT_FOUND)


async def _method_not_allowed(_: Request, error: HTTPException) -> Response:
    response = _error_response(responses.METHOD_NOT_ALLOWED)
    response.headers.update(error.headers or {})
    return response


async def _internal_error(_: Request, __: Exception) -> Response:
    return _error_response(responses.INTERNAL_ERROR)


def _error_response(error: responses.ErrorResponse) -> Response:
    return Response(error.body, error.status, media_type="application/json")
