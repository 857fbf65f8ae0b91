"""Tests webhooks of further senders: each is authenticated in the way of its gateway, and all share entries."""

import hashlib
import hmac
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from dev.embedded.servers import EmbeddedServers
from ingest import settings
from ingest.quarantine.quarantine_file import FILE_NAME, QuarantineFile
from telemetry.errors import SettingsError
from tests.support.processes.ingest_process import HttpResponse, IngestProcess, stream_batches
from tests.support.waiting import wait_until

BODY = '{"event": "message", "text": "नमस्ते \\/ <&>"}'.encode()
KEY = "a-key-made-up-for-tests-" + "0123456789" * 4
OTHER_KEY = "another-key-made-up-for-tests-0123"
FILE = f"""
[cloud]
kind = "meta"
secrets = ["{KEY}"]
verify_token = "a-token-made-up"

[shop]
kind = "waha"
secrets = ["{OTHER_KEY}", "{KEY}", "X-Hook-Token: opensesame-made-up"]
account = "+91 98110 00001"

[open]
kind = "openwa"
secrets = ["{KEY}"]

[go]
kind = "gowa"
secrets = ["{KEY}"]

[evo]
kind = "evolution"
secrets = ["{KEY}", "X-Hook-Token: opensesame-made-up"]

[wu]
kind = "wuzapi"
secrets = ["{KEY}"]

[second]
kind = "sak"
secrets = ["{KEY}"]
"""
HMACS = {
    "cloud": ("X-Hub-Signature-256", "sha256=", hashlib.sha256),
    "shop": ("X-Webhook-Hmac", "", hashlib.sha512),
    "open": ("X-OpenWA-Signature", "sha256=", hashlib.sha256),
    "go": ("x-hub-signature-256", "sha256=", hashlib.sha256),
    "wu": ("x-hmac-signature", "", hashlib.sha256),
    "second": ("X-Webhook-Signature", "sha256=", hashlib.sha256),
}


@pytest.fixture(scope="module")
def shared(servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestProcess]:
    folder = tmp_path_factory.mktemp("senders")
    (folder / "senders.toml").write_text(FILE, encoding="utf-8")
    with IngestProcess(servers.valkey.url, folder, TAIL_SECONDS="0") as running:
        yield running


@pytest.fixture
def ingest(shared: IngestProcess, redis_url: str) -> IngestProcess:
    assert redis_url
    return shared


def signed(name: str, body: bytes = BODY, key: str = KEY) -> dict[str, str]:
    header, prefix, algorithm = HMACS[name]
    return {header: prefix + hmac.new(key.encode(), body, algorithm).hexdigest()}


def token(key: str = KEY, algorithm: str = "HS256", **claims: object) -> dict[str, str]:
    told = {"iat": int(time.time()), "exp": int(time.time()) + 600, "app": "evolution", **claims}
    given = {name: value for name, value in told.items() if value is not None}
    return {"Authorization": f"Bearer {encode(given, key, algorithm)}"}


def encode(claims: dict[str, object], key: str, algorithm: str) -> str:
    return jwt.encode(claims, key, algorithm)  # pyright: ignore[reportUnknownMemberType] - partly typed


def post(ingest: IngestProcess, name: str, headers: dict[str, str], body: bytes = BODY) -> HttpResponse:
    return ingest.request("POST", f"/webhooks/{name}", body, headers)


@pytest.mark.parametrize("name", HMACS)
def test_a_signature_counts_over_the_raw_body_in_the_gateways_form_only(
    ingest: IngestProcess, redis_url: str, name: str
) -> None:
    """The second of several secrets is valid, too. Another header, key, body or form is not."""
    header, right = next(iter(signed(name).items()))
    wrong: tuple[dict[str, str], ...] = (
        {},
        {header: ""},
        {header: right[:-1]},
        {header: right.removeprefix("sha256=") if "=" in right else f"sha256={right}"},
        {header: "é" * 64},
        {"X-Other": right},
        signed(name, key="guessed"),
        signed(name, body=BODY + b" "),
    )
    refused = [post(ingest, name, headers) for headers in wrong]
    accepted = post(ingest, name, signed(name))

    assert [(answer.status, answer.json["code"]) for answer in refused] == [(401, "bad_signature")] * len(wrong)
    assert accepted.status == 200
    assert stream_batches(redis_url)[-1].bodies == (BODY,)


def test_a_jwt_is_of_hs256_signed_with_the_key_and_not_expired(ingest: IngestProcess) -> None:
    unsigned = encode({"exp": int(time.time()) + 600}, "", "none")
    wrong: tuple[dict[str, str], ...] = (
        {},
        token(key=OTHER_KEY),
        token(algorithm="HS512"),
        token(exp=int(time.time()) - 1),
        token(exp=None),
        token(exp=True),
        {"Authorization": f"Bearer {unsigned}"},
        {"Authorization": token()["Authorization"].removeprefix("Bearer ")},
        {"Authorization": "Bearer x"},
        {"X-Hook-Token": "opensesame"},
    )

    assert [post(ingest, "evo", headers).status for headers in wrong] == [401] * len(wrong)
    assert post(ingest, "evo", token()).status == 200
    assert post(ingest, "evo/messages-upsert", token()).status == 200
    assert post(ingest, "evo", {"X-Hook-Token": "opensesame-made-up"}).status == 200
    assert post(ingest, "shop", {"x-hook-token": "opensesame-made-up"}).status == 200


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="userID"\r\n\r\nu1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    b"\xff\x00\r\n"
    b'--b\r\nContent-Disposition: form-data; name="jsonData"\r\n\r\n'
    b'{"text":"<\xe0\xa4\xa8&\\n>\xe2\x80\xa8"}\r\n--b--\r\n'
)
FORM_AS_JSON = b'{"jsonData":"{\\"text\\":\\"\\u003c\xe0\xa4\xa8\\u0026\\\\n\\u003e\\u2028\\"}","userID":"u1"}'
"""The fields of the form without the file, as encoded by encoding/json in Go."""


def test_a_form_with_a_file_is_signed_by_its_other_fields_for_wuzapi_alone(
    ingest: IngestProcess, redis_url: str
) -> None:
    """The signature of wuzapi does not cover the bytes of a form with a file."""
    headers = signed("wu", FORM_AS_JSON) | {"Content-Type": "multipart/form-data; boundary=b"}

    answers = [
        post(ingest, name, given, body)
        for name, given, body in (
            ("wu", headers, FORM),
            ("wu", headers, FORM.replace(b"u1", b"u2")),
            ("wu", headers, FORM[:-4]),
            ("go", signed("go", FORM_AS_JSON), FORM),
        )
    ]

    assert [answer.status for answer in answers] == [200, 401, 401, 401]
    assert stream_batches(redis_url)[-1].bodies == (FORM,)


def test_meta_shakes_hands_with_the_right_token(ingest: IngestProcess) -> None:
    def get(name: str, query: str) -> tuple[int, bytes]:
        answer = ingest.get(f"/webhooks/{name}?{query}")
        return answer.status, answer.body

    right = "hub.mode=subscribe&hub.verify_token=a-token-made-up&hub.challenge=1158201444"

    assert get("cloud", right) == (200, b"1158201444")
    assert get("cloud", right.replace("a-token", "b-token"))[0] == 403
    assert get("cloud", right.replace("subscribe", "unsubscribe"))[0] == 403
    assert get("cloud", "")[0] == 403
    assert get("go", right)[0] == 405
    page = ingest.get(f"/webhooks/cloud?{right.replace('1158201444', '<script>alert(1)</script>')}")
    assert (page.headers["content-type"], page.headers["x-content-type-options"]) == (
        "text/plain; charset=utf-8",
        "nosniff",
    )


def test_events_of_all_senders_share_entries_that_name_them(ingest: IngestProcess, redis_url: str) -> None:
    """All share one group commit, and an entry with events of SAK only remains readable by the previous version."""
    answers = [ingest.post_webhook(BODY), *(post(ingest, name, signed(name)) for name in HMACS)]
    found = [sender for batch in stream_batches(redis_url) for sender in batch.senders or [""] * len(batch.bodies)]

    assert [answer.status for answer in answers] == [200] * 7
    assert found == ["", "meta:cloud", "waha:shop", "openwa:open", "gowa:go", "wuzapi:wu", "sak:second"]
    assert ingest.read_metric('sak_ingest_sender_webhooks_total{sender="go"}') > 0
    assert post(ingest, "nobody", signed("go")).json["code"] == "unknown_sender"


def test_senders_change_without_a_restart_and_what_a_new_secret_signs_is_stored(redis_url: str, tmp_path: Path) -> None:
    """A file with an error changes nothing. Webhooks wait in the quarantine with the name of their sender."""
    file = tmp_path / "senders.toml"
    file.write_text(f'[go]\nkind = "gowa"\nsecrets = ["{OTHER_KEY}"]\n')
    kept = QuarantineFile(tmp_path / "spool" / FILE_NAME)
    with IngestProcess(redis_url, tmp_path, WEBHOOK_SECRETS="") as ingest:
        assert post(ingest, "go", signed("go")).status == 401
        assert ingest.post_webhook(b"signed by nobody").status == 401
        wait_until(lambda: [one.sender for one in kept.read(0, 10)] == ["gowa:go", ""])
        for number, mistake in enumerate(
            [f'[go]\nkind = "gowa"\nsecrets = ["secret", "{KEY}"]\n', f"x = {'9' * 5000}"], 1
        ):
            file.write_text(mistake)
            wait_until(lambda number=number: ingest.log.count("the senders were not reloaded") == number)
        assert post(ingest, "go", signed("go", key=OTHER_KEY)).status == 200
        file.write_text(FILE)
        wait_until(lambda: [one.sender for one in kept.read(0, 10)] == [""])
        assert post(ingest, "shop", signed("shop")).status == 200

    assert [batch.senders for batch in stream_batches(redis_url)] == [("gowa:go",), ("gowa:go",), ("waha:shop",)]


def test_ingest_refuses_to_start_with_a_well_known_secret(tmp_path: Path) -> None:
    (tmp_path / "senders.toml").write_text('[go]\nkind = "gowa"\nsecrets = ["secret"]\n')

    with pytest.raises(SettingsError, match=r"senders\.toml: \[go\]: secrets has a well-known default"):
        settings.read({"REDIS_URL": "redis://127.0.0.1", "WEBHOOK_SECRETS": KEY, "DATA_DIR": str(tmp_path)})
