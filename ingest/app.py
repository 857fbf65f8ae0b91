"""Builds ingest as an ASGI application from its environment."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from http_server.connections import Connections
from http_server.shared_page import shared
from ingest import responses, settings
from ingest.batch_store import BatchStore
from ingest.batcher import Batcher
from ingest.counters import Counters
from ingest.health import Health
from ingest.heartbeat import HeartbeatSender
from ingest.http.refusal_report import RefusalReport
from ingest.http.senders import SendersEndpoint
from ingest.http.webhook import WebhookEndpoint
from ingest.http.webhook_paths import WebhookPaths
from ingest.metrics import IngestCollector
from ingest.quarantine import quarantine_file
from ingest.quarantine.quarantine import Quarantine
from ingest.quarantine.quarantine_file import QuarantineFile
from ingest.queue.contract import DEFAULT_SENDER
from ingest.queue.failpoints import Failpoints
from ingest.redelivery.pace import Pace
from ingest.redelivery.spool_drainer import SpoolDrainer
from ingest.redelivery.tail_drainer import TailDrainer
from ingest.settings import Settings
from ingest.signing.verifiers import Verifiers
from ingest.signing.webhook_secrets import WebhookSecrets
from ingest.spool.spool import Spool
from ingest.stream import redis_client, stream_appender
from ingest.stream.circuit_breaker import CircuitBreaker
from ingest.stream.drain_jobs import DrainJobs
from ingest.stream.redis_memory import RedisMemory
from ingest.stream.stream_appender import StreamAppender
from ingest.tail.orphaned_tails import OrphanedTails
from ingest.tail.tail import Tail
from ingest.writer_position import FormerWriters
from telemetry import traces

SHUTDOWN_SECONDS = 4.0
"""The time in seconds for the last batches at shutdown: the stream's deadline plus the spool's."""

log = logging.getLogger("ingest")


def create_app(environ: Mapping[str, str] = os.environ) -> Starlette:
    """Return the application, which starts to serve with its lifespan. Raises SettingsError."""
    config = settings.read(environ)
    counters, failpoints, former_writers = Counters(), Failpoints(config.failpoints), FormerWriters()
    client = redis_client.connect(config.redis_url)
    append_client = redis_client.connect(config.redis_url, reply_timeout=None)  # the appender sets its own deadline
    spool = Spool(config.spool_dir, config.spool_max_bytes)
    breaker, memory, drain_jobs = CircuitBreaker(counters), RedisMemory(client), DrainJobs(client, counters)
    tail = Tail(config.spool_dir, config.tail_seconds, config.tail_max_bytes)
    orphaned_tails = OrphanedTails(config.spool_dir, tail, former_writers)
    appenders = [
        StreamAppender(append_client, seconds, config.min_replicas, failpoints, breaker, memory, drain_jobs, tail)
        for seconds in (stream_appender.ACKNOWLEDGEMENT_SECONDS, stream_appender.REDELIVERY_SECONDS)
    ]
    batch_store = BatchStore(appenders[0], spool, breaker, memory, counters, failpoints)
    tracer = traces.configure("ingest", environ)
    batcher = Batcher(batch_store, spool, former_writers, counters, tracer)
    tail_drainer = TailDrainer(appenders[1], tail, orphaned_tails, memory, counters, Pace())
    drainer = SpoolDrainer(client, appenders[1], spool, breaker, memory, counters, failpoints, tail_drainer)
    heartbeat = HeartbeatSender(client, batcher, former_writers, spool, tail, orphaned_tails)
    refusals = RefusalReport(client, counters)
    verifiers = Verifiers(
        WebhookSecrets(config.webhook_secrets, config.secrets_file), config.senders_file, config.sender
    )
    quarantine = Quarantine(
        QuarantineFile(config.spool_dir / quarantine_file.FILE_NAME),
        config.quarantine_max_bytes,
        verifiers,
        batcher,
        counters,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        if config.allow_unsigned:
            log.warning("WEBHOOK_ALLOW_UNSIGNED is set: anyone who can reach this server can write messages")
        await spool.open()
        tail.open(batcher.position)
        batching = asyncio.create_task(batcher.run())
        background = [asyncio.create_task(each.run()) for each in (drainer, heartbeat, refusals)]
        for task in (batching, *background):
            task.add_done_callback(_terminate_on_failure)
        async with quarantine.running(_terminate_on_failure):
            yield
        batcher.close()
        await asyncio.wait([batching], timeout=SHUTDOWN_SECONDS)
        for task in background:
            task.cancel()
        await asyncio.wait(background, timeout=SHUTDOWN_SECONDS)
        for part in (heartbeat, tail, drain_jobs, spool, *appenders):
            await part.close()
        orphaned_tails.close()
        await refusals.report()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)
        await client.aclose()
        await append_client.aclose()

    health = Health(config, client, spool, breaker, memory, tail, heartbeat)
    connections = Connections(config.connection_bounds, counters.count_refusal)
    collector = IngestCollector(counters, connections, spool, breaker, memory, tail, quarantine)
    webhooks = _make_webhook_paths(config, verifiers, quarantine, batcher, counters)
    probes = [
        Route("/healthz", health.liveness),
        Route("/readyz", shared(health.readiness)),
        Route("/metrics", shared(_metrics_endpoint(collector))),
    ]
    app = Starlette(lifespan=lifespan, routes=[*webhooks.routes, *probes], exception_handlers=_EXCEPTION_HANDLERS)
    app.state.connections, app.state.direct = connections, webhooks
    return app


def _metrics_endpoint(collector: Collector) -> Callable[[Request], Awaitable[Response]]:
    registry = CollectorRegistry()
    registry.register(collector)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _make_webhook_paths(
    config: Settings, verifiers: Verifiers, quarantine: Quarantine, batcher: Batcher, counters: Counters
) -> WebhookPaths:
    verifier = None if config.allow_unsigned else verifiers.default
    max_bytes = config.max_body_bytes
    sak = WebhookEndpoint(DEFAULT_SENDER, verifier, responses.BAD_SIGNATURE, quarantine, batcher, counters, max_bytes)
    return WebhookPaths(sak, SendersEndpoint(verifiers, quarantine, batcher, counters, max_bytes))


def _terminate_on_failure(task: asyncio.Task[None]) -> None:
    """End the process, because without this task ingest would accept requests but never answer.

    The supervisor restarts it.
    """
    if not task.cancelled() and task.exception() is not None:
        log.critical("background task failed; shutting down", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


async def _refuse(_: Request, error: Exception) -> Response:
    headers: Mapping[str, str] | None = None
    answer = responses.INTERNAL_ERROR
    if isinstance(error, HTTPException):
        headers = error.headers  # for 405: the methods that are allowed
        answer = responses.NOT_FOUND if error.status_code == HTTPStatus.NOT_FOUND else responses.METHOD_NOT_ALLOWED
    return Response(answer.body, answer.status, headers, "application/json")


_EXCEPTION_HANDLERS: dict[Any, Any] = {404: _refuse, 405: _refuse, Exception: _refuse}
