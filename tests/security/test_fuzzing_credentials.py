"""Tests random credentials, addresses and files: headers, JWT, cookies, forms, endpoints, `.env` and senders.toml."""

import base64
import contextlib
import hmac
import json
import time

import pytest
import requests
from hypothesis import assume, example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from urllib3.util import parse_url

from api.auth.cookies import SignIn, SignInCookies
from api.push import endpoints
from environment import env_file, secret_list, senders_file
from environment.env_file import EnvFileError
from environment.sender_kinds import KINDS
from ingest.queue import form_data
from ingest.signing.signature import Verifier
from telemetry.errors import SettingsError
from tests.support.attacks.fuzzing import TEXTS, fuzz

pytestmark = pytest.mark.long

KEY = "a-key-made-up-for-tests-0123456789"


@st.composite
def jwts(draw: st.DrawFn) -> bytes:
    """Return a token that is similar to ours but is not signed with our key."""
    odd: st.SearchStrategy[object] = st.sampled_from([None, 7, [], {}, ["b64"], "a", "\0", {"k": "AA", "kty": "oct"}])
    algorithm = draw(st.sampled_from(["HS256", "hs256", "none", "None", "", "RS256"]) | odd)
    extra = draw(st.dictionaries(st.sampled_from(["kid", "jwk", "crit", "b64", "x5u", "typ"]), odd, max_size=3))
    claims = {"exp": draw(st.sampled_from([2**40, 1e308, "9" * 5000, True, None, []]))}
    segments = [_segment(json.dumps(each).encode()) for each in ({"alg": algorithm, **extra}, claims)]
    key = draw(st.sampled_from([b"", b"null", b"secret", KEY.encode()[:-1]]))
    signature = hmac.digest(key, b".".join(segments), "sha256")
    return b".".join([*segments, draw(st.sampled_from([_segment(signature), b"", b"="]))])


def _segment(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


DEEP = b".".join([_segment(b'{"alg":' + b"[" * 40_000), _segment(b"{}"), b""])


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=200), claimed=jwts() | st.binary(max_size=200))
@example(body=b"--a\r\n" * 1000, claimed=b"0" * 128)
@example(body=b"{}", claimed=DEEP)
@fuzz
def test_no_header_that_is_made_up_signs_a_body(kind: str, body: bytes, claimed: bytes) -> None:
    """Any header of a stranger is refused, and none raises an error."""
    scheme = KINDS[kind]
    verifier = Verifier(scheme, [KEY.encode()])

    for sent in (claimed, scheme.prefix.encode() + claimed):
        assert not verifier.verify(body, {scheme.header.encode(): sent}, time.time())


@given(content=st.binary(max_size=200), names=st.lists(st.binary(max_size=20), max_size=3), cut=st.integers(0, 40))
@fuzz
def test_a_form_is_split_as_it_was_joined(content: bytes, names: list[bytes], cut: int) -> None:
    """ingest must verify the same parts as the worker reads."""
    delimiter = b"--boundary"
    parts = [b'Content-Disposition: form-data; name="%b"' % name for name in names]
    body = b"\r\n".join([*(line for head in parts for line in (delimiter, head, b"", content)), delimiter + b"--", b""])
    assume(all(not set(b'\r\n"') & set(name) for name in names))
    assume(delimiter not in content)

    found = form_data.split(body)

    assert [(part.name, part.content) for part in found] == [(name, content) for name in names]
    assert form_data.join(body, found) == body or not names
    form_data.fields(body[:-cut] if cut else body)


ENDPOINT_PARTS = (
    *("https://", "http:", "//", "fcm.googleapis.com", "a.push.apple.com", ".push.apple.com", "169.254.169.254"),
    *("inside.example", "user", "@", ":", "443", "0443", "80", "/", "\\", "?", "#", ";", "%2f", "%", "[", "]", "::1"),
    *(".", "*", "-", "A", "\t", "\u3002", "\u2044", "x" * 500),
)


@given(endpoint=st.lists(st.sampled_from(ENDPOINT_PARTS), max_size=9).map("".join))
@example(endpoint="https://fcm.googleapis.com#@inside.example/")
@example(endpoint="a.push.apple.com.inside.example/")
@example(endpoint=".inside.example/")
@example(endpoint="https://fcm.googleapis.com\\@inside.example/")
@fuzz
def test_an_endpoint_of_a_device_is_called_at_a_push_service_or_refused(endpoint: str) -> None:
    """Two programs may read one address differently, and a request must not reach what is inside."""
    for each in (endpoint, f"https://{endpoint}", f"https://fcm.googleapis.com{endpoint}"):
        if endpoints.is_allowed(each, endpoints.DEFAULT_HOSTS):
            called = parse_url(str(requests.Request("POST", each).prepare().url))
            assert called.host == "fcm.googleapis.com" or str(called.host).endswith(".push.apple.com")
            assert (called.scheme, called.port) in {("https", None), ("https", 443)}
            assert called.auth is None


@given(line=st.one_of(TEXTS, st.text('"\\;= history_0123')), seed=st.integers(0, 9))
@fuzz
def test_a_cookie_counts_only_as_it_was_made(line: str, seed: int) -> None:
    """The header is read before anything else of a request."""
    cookies = SignInCookies(KEY)
    value = cookies.encode(SignIn(seed, "nonce"), 0)
    sent = Headers(raw=[(b"cookie", line.encode())])
    whole = Headers(raw=[(b"cookie", f"{line};{cookies.name}={value}".encode())])

    assert cookies.decode(sent, 0) is None
    assert cookies.decode(whole, 0) == SignIn(seed or None, "nonce")


@given(text=st.one_of(TEXTS, st.text("[]{}\"'=#.\n _-0123456789eainfT:shopkdwcr")))
@example(text="[shop]\nx = " + "9" * 5000)
@example(text="x = " + "[" * 5000)
@fuzz
def test_a_list_of_senders_is_read_or_its_mistake_is_named(text: str) -> None:
    """ingest reloads the file while it runs, and any other error would end the process."""
    with contextlib.suppress(SettingsError):
        assert all(each.kind in KINDS for each in senders_file.parse(text, "senders.toml").values())


@given(content=st.one_of(TEXTS, st.text("AB=#'\"\\ \n,")), secret=st.one_of(TEXTS, st.text("aA0._~+/=-", min_size=1)))
@example(content='WEBHOOK_SECRETS="a #b"\nX=1\n', secret="new")
@example(content='A="x\nWEBHOOK_SECRETS=old\n', secret="new")
@fuzz
def test_a_secret_changes_no_other_variable(
    tmp_path_factory: pytest.TempPathFactory, content: str, secret: str
) -> None:
    """The secret comes from the gateway, and a person wrote the file."""
    path = tmp_path_factory.getbasetemp() / "fuzzed.env"
    path.write_text(content, encoding="utf-8", newline="")
    try:
        before = env_file.read(path)
        env_file.add_secret(path, secret)
    except EnvFileError:
        assert path.read_bytes() == content.encode()
        return
    after = env_file.read(path)
    known = secret_list.split(before.pop(env_file.SECRETS_VARIABLE, ""))
    assert secret_list.split(after.pop(env_file.SECRETS_VARIABLE)) == [secret, *(one for one in known if one != secret)]
    assert after == before
