"""Tests signing in with OpenID Connect at a real provider on the loopback interface."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from api.auth.cookies import SignIn, SignInCookies
from tests.support.history.history_writer import API_TOKEN, ApiClient, HistoryWriter
from tests.support.processes.api_server import running_api
from tests.support.servers.identity_provider import IdentityProvider


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


@pytest.fixture
def api(provider: IdentityProvider, database_url: str) -> Iterator[str]:
    environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **provider.environ()}
    with running_api(environ) as url:
        provider.redirect_url = f"{url}/sign-in/callback"
        yield url


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as http:
        yield http


def step(browser: requests.Session, url: str) -> str:
    """Return the address to which a response redirects the browser."""
    answer = browser.get(url, allow_redirects=False, timeout=30)
    assert answer.status_code in {302, 303}, answer.text
    return answer.headers["location"]


def sign_in(browser: requests.Session, api: str) -> str:
    """Return the address at which the browser arrives after signing in."""
    return step(browser, step(browser, step(browser, f"{api}/sign-in/start")))


def caller(browser: requests.Session, api: str) -> dict[str, Any]:
    return browser.get(f"{api}/api/session", timeout=30).json().get("data", {})


def test_a_person_signs_in_works_and_signs_out(
    browser: requests.Session, api: str, history: HistoryWriter, provider: IdentityProvider
) -> None:
    """The provider checks PKCE, state and nonce. The cookie is the same as after signing in with a token."""
    asked = parse_qs(urlsplit(step(browser, f"{api}/sign-in/start?next=https://evil.example/")).query)
    assert sign_in(browser, api) == "/"
    cookies = [cookie for cookie in browser.cookies if cookie.path == "/api"]
    known = caller(browser, api)
    browser.headers["x-csrf-token"] = known["csrf"]
    written = browser.post(f"{api}/api/chats/919811000001/read", timeout=30)
    listed = requests.get(f"{api}/api/tokens", headers={"authorization": f"Bearer {API_TOKEN}"}, timeout=30)
    stolen = {"cookie": f"{cookies[0].name}={cookies[0].value}"}
    browser.delete(f"{api}/api/session", timeout=30)

    assert asked["redirect_uri"] == [provider.redirect_url]
    assert (asked["code_challenge_method"], len(asked["state"][0]), len(asked["nonce"][0])) == (["S256"], 64, 64)
    assert [cookie.has_nonstandard_attr("HttpOnly") for cookie in cookies] == [True]
    assert (known["name"], known["scopes"]) == ("oidc:asha@shop.example", ["read", "write"])
    assert written.status_code == 200
    assert [(one["name"], one["single_sign_on"]) for one in listed.json()["data"]["tokens"]] == [(known["name"], True)]
    assert history.rows("SELECT caller, path FROM audit_log ORDER BY audit_id LIMIT 1") == [
        ("oidc:asha@shop.example", "/sign-in/callback")
    ]
    assert requests.get(f"{api}/api/chats", headers=stolen, timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"forged": {"nonce": "another"}}, "sso_invalid"),
        ({"forged": {"nonce": None}}, "sso_invalid"),
        ({"forged": {"nonce_supported": False, "nonce": "another"}}, "sso_invalid"),
        ({"forged": {"aud": "another client"}}, "sso_invalid"),
        ({"forged": {"iss": "https://elsewhere.example"}}, "sso_invalid"),
        ({"forged": {"exp": 1_750_000_000}}, "sso_invalid"),
        ({"forged": {"azp": "another client"}}, "sso_invalid"),
        ({"forged": {"sub": 7}}, "sso_invalid"),
        ({"algorithm": "none"}, "sso_invalid"),
        ({"algorithm": "HS256"}, "sso_invalid"),
        ({"signs_with_another_key": True}, "sso_invalid"),
        ({"declines": True}, "sso_declined"),
        ({"token_status": 500}, "sso_unavailable"),
        ({"token_status": 302}, "sso_unavailable"),
        ({"person": {"sub": "u1", "email": "asha@shop.example", "email_verified": False}}, "sso_not_allowed"),
        ({"person": {"sub": "u1", "email": "asha@shop.example"}}, "sso_not_allowed"),
        ({"person": {"sub": "u1", "email": "asha@other.example", "email_verified": True}}, "sso_not_allowed"),
        ({"person": {"sub": "u1", "groups": "admins"}}, "sso_not_allowed"),
    ],
    ids=str,
)
def test_an_invalid_response_of_the_provider_signs_nobody_in(
    browser: requests.Session, api: str, provider: IdentityProvider, fault: dict[str, Any], code: str
) -> None:
    """If any of these checks of the ID token were missing, an attacker could use it."""
    for name, value in fault.items():
        setattr(provider, name, value)

    assert sign_in(browser, api) == f"/#refused={code}"
    assert caller(browser, api) == {}


def test_a_response_of_the_provider_is_accepted_once_and_only_from_the_browser_of_the_attempt(
    browser: requests.Session, api: str
) -> None:
    """A link from a stranger must not sign in its recipient as the stranger, and a copied link must fail."""
    callback = step(browser, step(browser, f"{api}/sign-in/start"))
    with requests.Session() as other:
        elsewhere = step(other, callback)
        step(other, f"{api}/sign-in/start")
        of_another_attempt = step(other, callback)
    other_provider = step(browser, callback.replace("iss=", "iss=https%3A%2F%2Fevil.example&x="))
    first, second = step(browser, callback), step(browser, callback)

    assert (elsewhere, of_another_attempt, other_provider) == ("/#refused=sso_invalid",) * 3
    assert (first, second) == ("/", "/#refused=sso_invalid")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"authorization_endpoint": "http://169.254.169.254/authorize"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_only_safe_addresses_of_the_providers_own_document_are_used(
    browser: requests.Session, api: str, provider: IdentityProvider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata

    assert step(browser, f"{api}/sign-in/start") == "/#refused=sso_unavailable"


def test_the_same_address_of_another_person_is_another_person(
    browser: requests.Session, api: str, history: HistoryWriter, provider: IdentityProvider
) -> None:
    """If an e-mail address is reassigned, its new owner does not get the access of its previous owner."""
    sign_in(browser, api)
    with requests.Session() as successor:
        provider.person = {**provider.person, "sub": "u2"}
        sign_in(successor, api)

        assert caller(successor, api)["name"] == "oidc:asha@shop.example"
    assert browser.get(f"{api}/api/chats", timeout=30).status_code == 401
    assert history.rows("SELECT subject, revoked_at IS NULL FROM api_tokens ORDER BY token_id") == [
        (f"{provider.issuer} u1", False),
        (f"{provider.issuer} u2", True),
    ]


def test_rights_are_those_of_the_last_sign_in_and_end_with_revocation(
    browser: requests.Session, api: str, provider: IdentityProvider
) -> None:
    """A former admin loses the role everywhere, and a person whose sign-in is revoked must sign in again."""
    admin = {"authorization": f"Bearer {API_TOKEN}"}
    provider.person = {"sub": "u1", "groups": ["admins", "other"]}
    sign_in(browser, api)
    before = caller(browser, api)["scopes"]
    with requests.Session() as phone:
        provider.person = {"sub": "u1", "email": "u1@office.example", "email_verified": True}
        sign_in(phone, api)
        (token, _) = requests.get(f"{api}/api/tokens", headers=admin, timeout=30).json()["data"]["tokens"]
        after = caller(phone, api)["scopes"]
        requests.delete(f"{api}/api/tokens/{token['id']}", headers=admin, timeout=30)
        revoked = phone.get(f"{api}/api/chats", timeout=30).status_code

    assert before == ["admin", "read", "write"]
    assert (after, revoked) == (["read"], 401)
    assert browser.get(f"{api}/api/chats", timeout=30).status_code == 401  # the subject has another name now


def test_a_sign_in_ends_in_time_with_its_streams_however_often_it_is_renewed(
    browser: requests.Session, api: str, history: HistoryWriter
) -> None:
    """A person who left the organisation loses access after OIDC_HOURS, even with a page that stays open."""
    sign_in(browser, api)
    ((token_id,),) = history.rows("SELECT token_id FROM api_tokens")
    cookies = SignInCookies(API_TOKEN)
    until = int(time.time()) + 2
    value = cookies.encode(SignIn(token_id, "aa", until), time.time())
    renewed = requests.get(f"{api}/api/session", headers={"cookie": f"{cookies.name}={value}"}, timeout=30).cookies
    header = {"cookie": f"{cookies.name}={renewed[cookies.name]}"}
    with requests.get(f"{api}/api/stream", headers=header, stream=True, timeout=30) as listening:
        assert listening.content.startswith(b"retry:")  # the stream ends

    assert until <= time.time() + 1
    assert requests.get(f"{api}/api/chats", headers=header, timeout=30).status_code == 401


def test_without_a_provider_single_sign_on_is_not_found(client: ApiClient) -> None:
    assert client.get_data("/sign-in") == {"single_sign_on": False}
    assert [client.get(path).status_code for path in ("/sign-in/start", "/sign-in/callback")] == [404, 404]
