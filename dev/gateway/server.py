import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from dev.gateway.account import Account
from dev.gateway.app import BASE, create_app
from dev.gateway.connections import Wires
from dev.gateway.message_reports import Reports
from dev.gateway.misbehaviour import Misbehaviour, Plan
from dev.gateway.rate_limit import Limit
from dev.gateway.state import Memory

START_SECONDS = 10.0


class Gateway:
    """A pretend SAK in a thread of this process, on a port of its own unless told one.

    `with Gateway() as gateway: requests.get(gateway.base_url + "/webhooks", …)`
    """

    def __init__(
        self,
        port: int = 0,
        account: Account | None = None,
        *,
        per_minute: int | None = None,
        reports: bool = False,
    ) -> None:
        self.account = account or Account()
        self.memory = Memory(self.account)
        self.plan = Plan()
        self.limit = Limit(per_minute)
        self.reports = Reports(self.memory, on=reports)
        wires = Wires()
        self._port = port
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.memory, self.plan, wires, self.limit, self.reports),
                http=wires.protocol(),
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

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """For SAK_BASE_URL."""
        return self.root_url + BASE

    def start(self) -> Self:
        """Returns when it answers; raises OSError where the port is taken."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the pretend gateway did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Ends what hangs, answers what is nearly answered, and closes the port; a second time does nothing."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.plan.stopping.set)
        self._server.should_exit = True
        self._thread.join()
        if self._listener is not None:
            self._listener.close()

    def _serve(self) -> None:
        asyncio.run(self._answer())

    async def _answer(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(None if self._listener is None else [self._listener])

    def misbehave(self, misbehaviour: Misbehaviour) -> None:
        self.plan.add(misbehaviour)

    def seen(self, call: str) -> int:
        """How many requests of a call, such as `POST /messages/send`, came in."""
        return self.memory.seen().get(call, 0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
