"""Serves the files of the dashboard (api/dashboard/) from memory: `/`, `/assets/…` and `/service-worker.js`.

The page names its scripts and styles by `/assets/VERSION/…`, where a browser need not ask for them again. A path with
another version, which a page from another process may name, leads to the same files, but is not cached.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
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
_PAGE = "index.html"
_SERVICE_WORKER = "service-worker.js"
_CACHED = {"cache-control": "public, max-age=31536000, immutable"}
_VERSIONED = re.compile(rb"(?<=/assets/)(?=[\w/]+\.(?:css|js)\b)")
"""The places for the version in the page."""
# Trusted types: not even the dashboard's own scripts can turn text into HTML. The policy `shell` names the service
# worker (api/dashboard/page/installing.js) and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types shell"
)
_COMMENT_LINES = re.compile(rb"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)$", re.MULTILINE | re.DOTALL)
# Only comments without quotation marks are removed: with one, `//` may stand inside a string.
_COMMENTS_AFTER_CODE = re.compile(rb"""(?<=[;,{(]) // [^\n"'`]*$""", re.MULTILINE)
_SPACES_OF_STYLES = re.compile(rb"(?<=[,>]) | (?=[>{])")
_SPACES_OF_SCRIPTS = re.compile(rb"(?<=[{]) | (?=[}])|(?<=[)]) (?=[{])| (=>?|[=!]==|&&|[|][|]|[?][?]) ")
# Lines that contain no template and, as they have no slash, no regular expression. Spaces outside of their texts are
# removed.
_PLAIN_LINES = re.compile(rb"^[^`/\n]+$", re.MULTILINE)
_SPACES_OF_LINES = re.compile(rb"""("(?:\\.|[^"\\])*")|(?<=[,:;?]) | (?=[?:])""")
_INDENTATION = re.compile(rb"^[ \t]+", re.MULTILINE)
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers in addition to those of every response (api/http/middleware.py)."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    page: PublicPage
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "StaticFile":
        """Return the file with this name and content."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = _HEADERS | {"etag": etag, "content-type": _MEDIA_TYPES[Path(name).suffix]}
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
        body = _PLAIN_LINES.sub(lambda line: _SPACES_OF_LINES.sub(rb"\1", line[0]), body)
    return _INDENTATION.sub(b"", body)


@dataclass(frozen=True, slots=True)
class Dashboard:
    version: str
    """A number that changes with any of the files."""
    page: StaticFile
    service_worker: StaticFile
    """The service worker, which contains the names of the assets and the version."""
    assets: Mapping[str, StaticFile]
    """The assets by their path in the folder, such as `list/rows.js`."""

    async def serve_asset(self, request: Request) -> Response:
        """Respond with an asset, whose path may contain a version. Raises HTTPException if there is none."""
        path = request.path_params["path"]
        version, _, name = path.partition("/")
        if path in self.assets:
            name = path
        if name not in self.assets:
            raise HTTPException(404)
        response = await self.assets[name].serve_file(request)
        if version == self.version:
            response.headers.update(_CACHED)
        return response


def load() -> Dashboard:
    """Read all files, so that no request can reach the file system."""
    paths = [path for path in sorted(DASHBOARD_FOLDER.rglob("*")) if path.suffix in _MEDIA_TYPES]
    bodies = {path.relative_to(DASHBOARD_FOLDER).as_posix(): read(path) for path in paths}
    version = hashlib.sha256(b"".join(bodies.values())).hexdigest()[:12]
    page, worker = bodies.pop(_PAGE), bodies.pop(_SERVICE_WORKER)
    before = f'const VERSION="{version}",NAMES="{" ".join(bodies)}";'
    return Dashboard(
        version,
        StaticFile.of(_PAGE, _VERSIONED.sub(f"{version}/".encode(), page)),
        StaticFile.of(_SERVICE_WORKER, before.encode() + worker),
        {name: StaticFile.of(name, body) for name, body in bodies.items()},
    )


def routes() -> list[Route]:
    dashboard = load()
    return [
        Route("/", dashboard.page.serve_file),
        Route(f"/{_SERVICE_WORKER}", dashboard.service_worker.serve_file),
        Route("/assets/{path:path}", dashboard.serve_asset),
    ]
