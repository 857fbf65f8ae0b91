"""The one reading of REDIS_URL, for both ends of the queue."""

import pytest

from ingest.queue import redis_url
from ingest.queue.redis_url import RedisUrlError, SentinelUrl


@pytest.mark.parametrize("url", ["redis://host:6379/0", "rediss://user:password@host", "unix:///run/redis.sock?db=1"])
def test_a_servers_url_is_left_to_redis_py(url: str) -> None:
    assert redis_url.parse(url) is None


def test_a_sentinel_url_names_sentinels_service_and_credentials() -> None:
    """The password may hold any character, percent-encoded as in every URL."""
    url = "rediss+sentinel://user:p%40ss@one:1,two/main/3"

    assert redis_url.parse(url) == SentinelUrl((("one", 1), ("two", 26379)), "main", 3, "user", "p@ss", ssl=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "postgresql://x:private@y/z",
        "redis+sentinel://private",
        "redis+sentinel:///private/0",
        "redis+sentinel://host:private/main/0",
        "redis+sentinel://host/main/private",
        "redis://host:private/0",
    ],
)
def test_any_other_url_is_refused_without_being_quoted(url: str) -> None:
    """A URL may hold a password, and errors end in logs."""
    with pytest.raises(RedisUrlError, match="REDIS_URL must look like") as error:
        redis_url.parse(url)

    assert "private" not in str(error.value)
    assert error.value.__cause__ is None
