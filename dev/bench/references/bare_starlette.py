"""Implements the minimum webhook in Starlette: reads the body and responds. Stores nothing."""

import os

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.bench.load import sample_webhooks


async def receive(request: Request) -> Response:
    await request.body()
    return Response(b'{"success":true}', media_type="application/json")


if __name__ == "__main__":
    app = Starlette(routes=[Route(sample_webhooks.PATH, receive, methods=["POST"])])
    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="error", loop="uvloop", http="httptools")
