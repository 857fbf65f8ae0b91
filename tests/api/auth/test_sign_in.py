"""Tests signing in with a token, and the permissions of the cookie."""

import pytest
import requests
from starlette.datastructures import Headers

from api.auth import cookies
from api.auth.cookies import SignIn, SignInCookies
from store.access import tokens
from store.postgres import connections
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact
from tests.support.processes.api_server import ApiServers


def signed_in(api_url: str, token: str = API_TOKEN) -> requests.Session:
    """Return a session with the cookie and CSRF token of a signed-in browser."""
    http = requests.Session()
    answer = http.post(f"{api_url}/api/session", headers={"authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    http.headers["x-csrf-token"] = answer.json()["data"]["csrf"]
    return http


def test_signing_in_exchanges_the_token_for_a_cookie(api_url: str) -> None:
    """Scripts and other sites cannot read the cookie, and it does not contain the token."""
    with requests.Session() as http:
        answer = http.post(f"{api_url}/api/session", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30)
        cookie = answer.headers["set-cookie"]

        assert {"HttpOnly", "SameSite=strict", "Path=/api"} <= set(cookie.split("; "))
        assert API_TOKEN not in cookie
        assert http.get(f"{api_url}/api/chats", timeout=30).status_code == 200


@pytest.mark.parametrize("is_behind_tls", [False, True])
def test_behind_tls_a_cookie_is_secure_and_browsers_stay_with_tls(
    api_servers: ApiServers, database_url: str, *, is_behind_tls: bool
) -> None:
    """A request without TLS would show the cookie on its way, and without TLS, browsers do not send a secure one."""
    url = api_servers.url(database_url, API_HTTPS="1") if is_behind_tls else api_servers.url(database_url)
    answer = requests.post(f"{url}/api/session", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30)

    assert ("Secure" in answer.headers["set-cookie"].split("; ")) == is_behind_tls
    assert ("strict-transport-security" in answer.headers) == is_behind_tls


def test_a_request_without_cookie_and_token_is_unauthorized(api_url: str) -> None:
    assert requests.get(f"{api_url}/api/session", timeout=30).status_code == 401
    assert requests.post(f"{api_url}/api/session", timeout=30).status_code == 401


def test_a_cookie_without_csrf_token_cannot_write(api_url: str, history: HistoryWriter) -> None:
    """Another site can make a browser send its cookie, but cannot read the CSRF token of our page."""
    history.store(message_fact())
    url = f"{api_url}/api/chats/919811000001/read"
    with signed_in(api_url) as http:
        csrf = http.headers.pop("x-csrf-token")
        bare = http.post(url, timeout=30)
        wrong = http.post(url, headers={"x-csrf-token": "0" * 64}, timeout=30)
        elsewhere = http.post(url, headers={"x-csrf-token": csrf, "sec-fetch-site": "cross-site"}, timeout=30)
        neighbour = http.post(url, headers={"x-csrf-token": csrf, "sec-fetch-site": "same-site"}, timeout=30)
        ours = http.post(url, headers={"x-csrf-token": csrf, "sec-fetch-site": "same-origin"}, timeout=30)

    assert [answer.status_code for answer in (bare, wrong, elsewhere, neighbour)] == [403] * 4
    assert bare.json()["code"] == "csrf"
    assert ours.status_code == 200


def test_a_cookie_is_found_among_others_and_only_by_its_whole_name() -> None:
    """A browser may send other cookies of the host. The last one counts, because a path can shadow another."""
    own = SignInCookies(API_TOKEN)
    signed = f"{own.name}={own.encode(SignIn(7, 'n'), 0)}"

    def decoded(*lines: str) -> SignIn | None:
        return own.decode(Headers(raw=[(b"cookie", line.encode()) for line in lines]), 0)

    assert decoded(f'a="\\";b; {signed};c=d') == decoded("a=b", signed) == SignIn(7, "n")
    assert decoded(f"{signed}; {own.name}=x") is decoded(f"x{signed}") is decoded('"' + '\\"' * 30_000) is None


def test_signing_out_deletes_the_cookie(api_url: str) -> None:
    with signed_in(api_url) as http:
        http.delete(f"{api_url}/api/session", timeout=30)

        assert not http.cookies
        assert http.get(f"{api_url}/api/chats", timeout=30).status_code == 401


def test_signing_out_ends_every_copy_of_the_cookie(api_url: str) -> None:
    """A stolen copy becomes invalid and its streams end, but other sign-ins remain."""
    with signed_in(api_url) as http, signed_in(api_url) as other:
        stolen = {"cookie": "; ".join(f"{one.name}={one.value}" for one in http.cookies)}
        assert requests.get(f"{api_url}/api/session", headers=stolen, timeout=30).status_code == 200
        with requests.get(f"{api_url}/api/stream", headers=stolen, stream=True, timeout=30) as listening:
            http.delete(f"{api_url}/api/session", timeout=30)

            assert listening.content.startswith(b"retry:")  # the stream ends
        assert requests.get(f"{api_url}/api/chats", headers=stolen, timeout=30).status_code == 401
        assert other.get(f"{api_url}/api/chats", timeout=30).status_code == 200


def test_revoking_a_token_invalidates_its_cookies(api_url: str, history: HistoryWriter, database_url: str) -> None:
    """A lost laptop can be locked out without access to it."""
    history.store(message_fact(), session="mine")
    history.store(message_fact(address="919811000002"), session="yours")
    with connections.open(database_url, "test") as connection:
        token = tokens.create(connection, "laptop", ["read"], session_ids=["mine"])
    with signed_in(api_url, token) as http:
        seen = http.get(f"{api_url}/api/chats", timeout=30).json()["data"]["contacts"]
        write = http.post(f"{api_url}/api/chats/919811000001/read", timeout=30)
        with connections.open(database_url, "test") as connection:
            tokens.revoke(connection, "laptop")
        after = http.get(f"{api_url}/api/chats", timeout=30)

    assert [chat["session_id"] for chat in seen] == ["mine"]
    assert write.json()["code"] == "scope_missing"
    assert after.status_code == 401


def test_only_unexpired_cookies_with_a_valid_signature_are_accepted() -> None:
    """A cookie that was modified, was signed with another API_TOKEN, or has expired is rejected."""
    ours, others = SignInCookies(API_TOKEN), SignInCookies("another token")
    sign_in = SignIn(7, "aa")
    value = ours.encode(sign_in, now=1000.0)

    def read(value: str, now: float = 1000.0) -> SignIn | None:
        return ours.decode(Headers({"cookie": f"{ours.name}={value}"}), now)

    assert read(value) == sign_in
    assert read(value, 1000.0 + cookies.LIFETIME_SECONDS + 1) is None
    assert read(others.encode(sign_in, now=1000.0)) is None
    assert read("8" + value[1:]) is None
    assert [read(odd) for odd in ("", ".", "...", "7.aa.x.", "é.é.é.é")] == [None] * 5
