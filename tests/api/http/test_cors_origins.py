"""Tests API_CORS_ORIGINS, which must be exactly equal to the origin that a browser sends."""

import pytest

from api.http import cors_origins
from telemetry.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://inbox.example", ["https://inbox.example"]),
        ("https://Inbox.Example/, http://a.example:80", ["https://inbox.example", "http://a.example"]),
        ("https://a.example:443,https://a.example:8443", ["https://a.example", "https://a.example:8443"]),
        ("https://bücher.example", ["https://xn--bcher-kva.example"]),
        ("http://[::1]:3000", ["http://[::1]:3000"]),
        ("capacitor://localhost", ["capacitor://localhost"]),
        ("*", ["*"]),
        (" , ", []),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, origins: list[str]) -> None:
    """A slash at the end would refuse every page without an error."""
    assert cors_origins.parse(text) == origins


@pytest.mark.parametrize(
    "text",
    [
        *("inbox.example", "https://", "https://a.example/path", "https://a.example?x", "null", "https://u@a.example"),
        *("https://a.example:port", "https://a.example https://b.example", "https://*.example/x"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="API_CORS_ORIGINS must have origins such as"):
        cors_origins.parse(text)
