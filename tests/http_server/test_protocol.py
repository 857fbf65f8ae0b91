"""Tests which connections a server keeps, and whom it answers first, if strangers open many."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn._types import HTTPScope

from http_server import error_responses
from http_server.bounds import MIN_CONNECTIONS, ConnectionBounds
from http_server.connections import CROWD, SHED_CODE, Connections
from http_server.server import BoundedServer, listen_fairly

WAIT_SECONDS = 20.0


@dataclass
class Served:
    """A server, its clients, and what they have asked for."""

    address: tuple[str, int]
    order: list[int] = field(default_factory=list[int])
    """The numbers of the clients in the order of their answers."""
    refusals: list[str] = field(default_factory=list[str])
    clients: list[socket.socket] = field(default_factory=list[socket.socket])
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    """Requests wait while it is not set."""

    def ask(self, numbers: Iterable[int]) -> None:
        """Open a connection for each number, and send a request over it."""
        for number in numbers:
            self.clients.append(socket.create_connection(self.address))
            self.clients[-1].sendall(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.clients[-1].setblocking(False)  # noqa: FBT003 - the socket's own argument

    async def wait_for_answers(self, count: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.order) < count:
                self.answered.clear()
                await self.answered.wait()


@contextlib.asynccontextmanager
async def serving(max_connections: int, is_known: Callable[[HTTPScope], bool] | None = None) -> AsyncGenerator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    served = Served(listener.getsockname())
    served.is_open.set()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        served.begun.set()
        await served.is_open.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        served.order.append(int(scope["path"].strip("/")))
        served.answered.set()

    connections = Connections(
        ConnectionBounds(max_connections, 1 << 23, 1 << 20, body_seconds=10), served.refusals.append
    )
    server = BoundedServer(application, connections, is_known=is_known)
    server.config.load()
    protocol: Any = server.config.http_protocol_class
    async with contextlib.AsyncExitStack() as stack:
        for each in listen_fairly(listener):
            accepting = await asyncio.get_running_loop().create_server(
                lambda: protocol(config=server.config, server_state=server.server_state, app_state={}),
                sock=each,
                # Clients connect before the event loop accepts the first of them.
                backlog=max_connections,
            )
            await stack.enter_async_context(accepting)
        try:
            yield served
        finally:
            for client in served.clients:
                client.close()
            await asyncio.sleep(0.01)


def test_a_known_client_does_not_wait_for_a_crowd_of_strangers() -> None:
    """A reader must not wait until each of a thousand requests without a token is refused."""
    count = 3 * CROWD

    async def order() -> list[int]:
        async with serving(2 * count, lambda scope: scope["path"] == f"/{count - 1}") as served:
            served.ask(range(count))  # before the server reads the first of them
            await served.wait_for_answers(count)
            return served.order

    found = uvloop.run(order())

    assert sorted(found) == list(range(count))
    assert found.index(count - 1) < count / 2


def test_the_connection_that_has_been_idle_longest_is_closed_for_a_new_one() -> None:
    """Connections that are kept open must not take the descriptors of a gateway, which sends each webhook once."""

    async def state() -> tuple[list[bool], list[str]]:
        async with serving(MIN_CONNECTIONS) as served:
            for number in range(MIN_CONNECTIONS + 4):
                served.ask([number])
                await served.wait_for_answers(number + 1)
            await asyncio.sleep(0.01)
            return [is_closed(client) for client in served.clients], served.refusals

    closed, refusals = uvloop.run(state())

    assert closed == [True] * 4 + [False] * MIN_CONNECTIONS
    assert refusals == [SHED_CODE] * 4


def test_requests_that_arrive_while_others_wait_are_read_later() -> None:
    """They stay in the buffers of the network, so that a client that pipelines loses none of them."""

    async def order() -> list[int]:
        async with serving(MIN_CONNECTIONS) as served:
            served.is_open.clear()
            _, writer = await asyncio.open_connection(*served.address)
            for numbers in (range(5), range(5, 11)):
                writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in numbers))
                await served.begun.wait()
            await asyncio.sleep(0.1)  # the server could read the others now
            served.is_open.set()
            await served.wait_for_answers(11)
            writer.close()
            return served.order

    assert uvloop.run(order()) == list(range(11))


def test_the_largest_unfinished_bodies_are_refused_and_a_small_one_is_not() -> None:
    """900 of them filled the memory. Twice the budget is never exceeded, and then three quarters of it remain."""
    size, budget = 900_000, 1 << 23

    async def begin(served: Served, sent: int, announced: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(f"POST /{sent} HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n".encode() + b"x" * sent)
        return reader, writer

    async def state() -> tuple[int, bytes, list[str]]:
        async with serving(64) as served:
            reader, writer = await begin(served, 1, 2)
            crowd = [await begin(served, size, 1 << 20) for _ in range(2 * budget // size + 2)]
            answers = [asyncio.create_task(each.read(13)) for each, _ in crowd]
            await asyncio.wait(answers, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            refused, _ = await asyncio.wait(answers, timeout=0.5)
            writer.write(b"x")
            answer = await reader.read(13)
            for each in answers:
                each.cancel()
            for _, each in [(reader, writer), *crowd]:
                each.close()
            return sum(each.result() == b"HTTP/1.1 503 " for each in refused), answer, served.refusals

    refused, answer, refusals = uvloop.run(state())

    assert (budget + size) // size < refused < 2 * budget // size + 2
    assert answer == b"HTTP/1.1 204 "
    assert set(refusals) == {error_responses.BUSY.code}


def is_closed(client: socket.socket) -> bool:
    """Return whether the server has closed the connection."""
    try:
        while client.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
