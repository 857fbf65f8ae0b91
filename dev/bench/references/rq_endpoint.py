"""Uses one RQ job per event: an endpoint that checks the signature and enqueues from a thread."""

import os

import uvicorn
from redis import Redis
from rq import Queue
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dev.bench.load import sample_webhooks
from dev.bench.references import rq_job


def create_app(redis_url: str) -> Starlette:
    queue = Queue(rq_job.QUEUE_NAME, connection=Redis.from_url(redis_url))  # pyright: ignore[reportUnknownMemberType] - **kwargs

    async def receive(request: Request) -> JSONResponse:
        body = await request.body()
        if request.headers.get("x-webhook-signature") != f"sha256={sample_webhooks.signature(body).decode()}":
            return JSONResponse({"success": False}, 401)
        await run_in_threadpool(queue.enqueue, rq_job.JOB_NAME, body.decode())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - RQ's arguments are any
        return JSONResponse({"success": True})

    return Starlette(routes=[Route(sample_webhooks.PATH, receive, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(create_app(os.environ["REDIS_URL"]), port=int(os.environ["PORT"]), access_log=False, log_level="error")
