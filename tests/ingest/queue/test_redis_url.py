"""Tests the parser of REDIS_URL, which ingest and worker use."""

from pathlib import Path

import pytest

from ingest.queue import redis_url
from ingest.queue.redis_url import SentinelUrl
from telemetry.errors import SettingsError


@pytest.mark.parametrize("url", ["redis://host:6379/0", "rediss://user:password@host", "unix:///run/redis.sock?db=1"])
def test_a_servers_url_is_left_to_redis_py(url: str) -> None:
    assert redis_url.parse(url) is None


def test_a_sentinel_url_names_sentinels_service_and_credentials() -> None:
    """The password may contain any character, percent-encoded as in every URL."""
    url = "rediss+sentinel://user:p%40ss@one:1,two/main/3"

    assert redis_url.parse(url) == SentinelUrl((("one", 1), ("two", 26379)), "main", 3, "user", "p@ss", ssl=True)


def test_a_missing_url_is_reported_as_missing() -> None:
    """A newcomer who set nothing must not look for a mistake in a URL."""
    with pytest.raises(SettingsError, match="REDIS_URL is not set"):
        redis_url.parse("")


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://x:private@y/z",
        "redis+sentinel://private",
        "redis+sentinel:///private/0",
        "redis+sentinel://host:private/main/0",
        "redis+sentinel://host/main/private",
        "redis://host:private/0",
        "redis://host/private",
        "redis://user:#private@host:6379/0",
        "redis://:1/private@host:6379/0",
        "redis://:1?private@host:6379/0",
        "rediss+sentinel://:1/private@host/main/0",
        "rediss://host:6379/0?ssl_ca=private",
        "rediss://host:6379/0?ssl_cert_reqs=private",
        "rediss+sentinel://host/main/0?ssl_ca=private",
        "rediss+sentinel://host/main/0?ssl_check_hostname=private",
        "redis+sentinel://host/main/0?ssl_ca_certs=private",
    ],
)
def test_any_other_url_is_refused_without_being_quoted(url: str) -> None:
    """A URL may contain a password, and errors are logged."""
    with pytest.raises(SettingsError, match="REDIS_URL must look like") as error:
        redis_url.parse(url)

    assert "private" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_private_authority_applies_to_the_sentinels_and_to_the_primary(tmp_path: Path) -> None:
    """A private certificate authority signs the certificates of both."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    url = redis_url.parse(f"rediss+sentinel://one/main/0?ssl_ca_certs={authority}&ssl_check_hostname=false")

    assert url is not None
    options = {"ssl": True, "ssl_ca_certs": str(authority), "ssl_check_hostname": False}
    assert url.sentinel_options() == options
    assert url.connection_options().items() >= options.items()


@pytest.mark.parametrize(
    ("url", "sentinels", "primary"),
    [
        ("redis+sentinel://one/main", False, False),
        ("rediss+sentinel://one/main", True, True),
        ("rediss+sentinel://one/main?sentinel_ssl=no", False, True),
        ("redis+sentinel://one/main?sentinel_ssl=yes", True, False),
    ],
)
def test_sentinels_speak_tls_as_the_primary_unless_the_url_says_otherwise(
    url: str, *, sentinels: bool, primary: bool
) -> None:
    parsed = redis_url.parse(url)

    assert parsed is not None
    assert (parsed.sentinel_options()["ssl"], parsed.connection_options()["ssl"]) == (sentinels, primary)


@pytest.mark.parametrize(
    "url", ["rediss://host?ssl_ca_certs=/no/file", "rediss+sentinel://host/m?ssl_ca_certs=/no/file"]
)
def test_an_authority_that_cannot_be_read_ends_the_start(url: str) -> None:
    """Otherwise, redis-py would raise the error at the first event."""
    with pytest.raises(SettingsError, match="ssl_ca_certs names a file that cannot be read"):
        redis_url.parse(url)
