"""Serves the simulated gateway in a thread, for tests and the demo."""

import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import Receive, Scope, Send

from dev.gateway.account import GatewayAccount
from dev.gateway.app import BASE_PATH, create_app
from dev.gateway.connections import OpenConnections
from dev.gateway.message_reports import MessageReports
from dev.gateway.misbehaviour import Misbehaviour, MisbehaviourQueue
from dev.gateway.rate_limit import RateLimit
from dev.gateway.state import GatewayState

START_SECONDS = 10.0


class PretendGateway:
    """A simulated SAK in a thread of this process, on a free port unless one is given.

    `with PretendGateway() as gateway: requests.get(gateway.base_url + "/webhooks", …)`
    """

    def __init__(
        self,
        port: int = 0,
        account: GatewayAccount | None = None,
        *,
        per_minute: int | None = None,
        reports: bool = False,
    ) -> None:
        self.account = account or GatewayAccount()
        self._per_minute = per_minute
        self._has_reports = reports
        self._connections = OpenConnections()
        self._port = port
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._handle,
                interface="asgi3",
                http=self._connections.protocol_class(),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="gateway", daemon=True)
        self._listener: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._create_app()

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """The value for SAK_BASE_URL."""
        return self.root_url + BASE_PATH

    def start(self) -> Self:
        """Start the gateway and return when it responds. Raises OSError if the port is taken."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the simulated gateway did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """End hanging calls, finish those that are nearly done, and close the port. A second call does nothing."""
        self._end_hanging()
        self._server.should_exit = True
        self._thread.join()
        if self._listener is not None:
            self._listener.close()

    def reset(self) -> None:
        """End hanging calls and forget everything, like a new gateway on the same port."""
        self._end_hanging()
        self._create_app()

    def _create_app(self) -> None:
        self.state = GatewayState(self.account)
        self.misbehaviours = MisbehaviourQueue()
        self.rate_limit = RateLimit(self._per_minute)
        self.reports = MessageReports(self.state, on=self._has_reports)
        self._app = create_app(self.state, self.misbehaviours, self._connections, self.rate_limit, self.reports)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _end_hanging(self) -> None:
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.misbehaviours.stopping.set)

    def _serve(self) -> None:
        asyncio.run(self._run_server())

    async def _run_server(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(None if self._listener is None else [self._listener])

    def misbehave(self, misbehaviour: Misbehaviour) -> None:
        self.misbehaviours.enqueue(misbehaviour)

    def call_count(self, call: str) -> int:
        """Return the number of requests of a call, such as `POST /messages/send`."""
        return self.state.call_counts().get(call, 0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
