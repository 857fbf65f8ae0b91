"""Reads server-sent events. A chunk is read by its length, so that events split between chunks are complete."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.history.history_writer import API_TOKEN


@dataclass(frozen=True, slots=True)
class StreamEvent:
    id: str
    data: Any
    """None if the event has only an id."""


async def read_events(
    url: str, last_event_id: str | None = None, token: str = API_TOKEN
) -> AsyncGenerator[StreamEvent]:
    """Yield the events of the stream until it ends. The connection is closed with the generator."""
    parts = urlsplit(url)
    assert parts.port
    reader, writer = await asyncio.open_connection("127.0.0.1", parts.port, limit=1 << 24)
    resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
    writer.write(f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{resume}\r\n".encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        text = b""
        while size := int(await reader.readline(), 16):
            text += (await reader.readexactly(size + 2))[:-2]
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
                if "id" in fields:
                    yield StreamEvent(fields["id"], json.loads(fields["data"]) if "data" in fields else None)
    except asyncio.IncompleteReadError:
        return
    finally:
        writer.close()
