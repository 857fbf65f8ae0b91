"""Asks a process whether it is ready, and for the reasons if it is not."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 2.0
MAX_RESPONSE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    reasons: tuple[str, ...]


async def check(url: str) -> Readiness:
    """GET the URL. A process that does not respond in time with HTTP is not ready."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            head, _, body = (await _http_get(url)).partition(b"\r\n\r\n")
    except (OSError, TimeoutError):
        return Readiness(ready=False, reasons=("does not answer yet",))
    if b" 200 " in head.partition(b"\r\n")[0] + b" ":
        return Readiness(ready=True, reasons=())
    try:
        reasons = tuple(str(reason) for reason in json.loads(body)["reasons"])
    except (ValueError, KeyError, TypeError):
        reasons = (head.partition(b"\r\n")[0].decode(errors="replace"),)
    return Readiness(ready=False, reasons=reasons)


async def _http_get(url: str) -> bytes:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        request = f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        answer = b""
        while len(answer) < MAX_RESPONSE_BYTES and (more := await reader.read(MAX_RESPONSE_BYTES)):
            answer += more
        return answer
    finally:
        writer.close()
