"""Serves public pages from memory and compressed in advance, because anybody may request them at any rate."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class PublicPage:
    body: bytes
    compressed: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str]) -> Self:
        """Return the page; `headers` must include the content type."""
        return cls(body, gzip.compress(body, mtime=0), headers)

    def response(self, request: Request) -> Response:
        """Return the page in the encoding that the client accepts."""
        if "gzip" in request.headers.get("accept-encoding", ""):
            encoded = {"content-encoding": "gzip", "vary": "Accept-Encoding"}
            return Response(self.compressed, headers={**self.headers, **encoded})
        return Response(self.body, headers=self.headers)
