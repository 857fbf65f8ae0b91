"""Serves the files of the dashboard (api/dashboard/) from memory: `/`, `/assets/…` and `/service-worker.js`."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http import responses
from api.http.public_page import PublicPage

DASHBOARD_FOLDER = Path(__file__).parent.parent / "dashboard"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_SERVICE_WORKER = "service-worker.js"
# Trusted types: not even the dashboard's own scripts can turn text into HTML. The policy `shell` names the service
# worker (api/dashboard/installing.js) and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types shell"
)
_COMMENT_LINES = re.compile(rb"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)$", re.MULTILINE | re.DOTALL)
# Without quotation marks, it cannot be the rest of a text.
_COMMENTS_AFTER_CODE = re.compile(rb"""(?<=[;,{(]) // [^\n"'`]*$""", re.MULTILINE)
_SPACES_OF_STYLES = re.compile(rb"(?<=[,>]) | (?=[>{])")
_SPACES_OF_SCRIPTS = re.compile(rb"(?<=[{]) | (?=[}])|(?<=[)]) (?=[{])| (=>?|[=!]==|&&|[|][|]|[?][?]) ")
_INDENTATION = re.compile(rb"^[ \t]+", re.MULTILINE)
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Added to those of every response (api/http/middleware.py)."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    page: PublicPage
    etag: str

    @classmethod
    def load(cls, path: Path, before: str = "") -> "StaticFile":
        """Return the file, with a text before its content."""
        body = before.encode() + read(path)
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = _HEADERS | {"etag": etag, "content-type": _MEDIA_TYPES[path.suffix]}
        return cls(PublicPage.of(body, headers), etag)

    async def serve_file(self, request: Request) -> Response:
        """Respond with the file or with 304. It is `async` because it never blocks, so it needs no thread."""
        if responses.matches_etag(request.headers, self.etag):
            return Response(status_code=304, headers=_HEADERS | {"etag": self.etag})
        return self.page.response(request)


def read(path: Path) -> bytes:
    """Return the file as it is served: without comments and most spaces, but with the same line numbers for errors."""
    body = path.read_bytes()
    if path.suffix not in {".css", ".js"}:
        return body
    body = _COMMENT_LINES.sub(lambda comment: b"\n" * comment[0].count(b"\n"), body)
    if path.suffix == ".css":
        body = _SPACES_OF_STYLES.sub(b"", body)
    else:
        body = _SPACES_OF_SCRIPTS.sub(rb"\1", _COMMENTS_AFTER_CODE.sub(b"", body))
    return _INDENTATION.sub(b"", body)


def files() -> dict[str, StaticFile]:
    """Return the files by their paths. The service worker has their names, and a version that any of them changes."""
    paths = {path.name: path for path in sorted(DASHBOARD_FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
    worker = paths.pop(_SERVICE_WORKER)
    page = StaticFile.load(paths.pop("index.html"))
    assets = {name: StaticFile.load(path) for name, path in paths.items()}
    etags = "".join(file.etag for file in (page, *assets.values()))
    version = hashlib.sha256(etags.encode()).hexdigest()[:20]
    before = f'const VERSION="{version}",NAMES="{" ".join(assets)}";'
    return {
        "/": page,
        f"/{_SERVICE_WORKER}": StaticFile.load(worker, before),
        **{f"/assets/{name}": file for name, file in assets.items()},
    }


def routes() -> list[Route]:
    """Return a route for each file. All files are read now, so that no request can reach the file system."""
    return [Route(path, file.serve_file) for path, file in files().items()]
