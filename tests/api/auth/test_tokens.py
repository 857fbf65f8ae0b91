"""Tests tokens that are limited to some sessions or scopes."""

import os
from collections.abc import Iterator

import pytest
import requests

from store.access import tokens
from store.access.tokens import TokenNameError, TokenNameTakenError
from store.postgres import connections
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.processes import preloaded_python

HIDDEN = "919822222222"
READS = [
    "/api/chats", f"/api/chats/{HIDDEN}", f"/api/chats/{SENDER_PHONE}", "/api/search?q=needle", "/api/sessions",
    "/api/stats", "/api/parked", f"/api/chats/{HIDDEN}/export", f"/api/chats/{SENDER_PHONE}/export", "/api/changes",
    "/api/sessions/s1/export",
    f"/api/search?q=needle&address={HIDDEN}", "/api/chats?session_id=s2", f"/api/chats/{HIDDEN}?session_id=s2",
    "/api/sessions/s2/export", f"/api/chats/{SENDER_PHONE}?session_id=s2", "/api/search?q=needle&session_id=s2",
]  # fmt: skip


def make(history: HistoryWriter, name: str, *scopes: str, sessions: list[str] | None = None, rate: int = 6000) -> str:
    with connections.open(history.database_url, "test") as connection:
        return tokens.create(connection, name, scopes or ["read"], session_ids=sessions, per_minute=rate)


@pytest.fixture
def limited(history: HistoryWriter, api_url: str) -> Iterator[ApiClient]:
    """Return a client that can access s1 but not s2."""
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {make(history, 'limited', 'read', 'write', sessions=['s1'])}"
        yield ApiClient(api_url, http)


@pytest.mark.parametrize("path", READS)
def test_a_token_reads_nothing_of_other_sessions(history: HistoryWriter, limited: ApiClient, path: str) -> None:
    """The inbox of one customer must not be visible to another through any call."""
    history.store(message_fact("needle seen"))
    history.store(message_fact("needle hidden"), message_fact("needle hidden", 1, address=HIDDEN), session="s2")

    answer = limited.get(path)

    assert "hidden" not in answer.text
    assert '"session_id":"s2"' not in answer.text.replace(" ", "")
    assert HIDDEN not in answer.text.replace(f'"phoneNumber":"{HIDDEN}","address":"{HIDDEN}"', "")


def test_a_token_receives_no_change_of_other_sessions(history: HistoryWriter, limited: ApiClient) -> None:
    """Only a token for all sessions receives every change of the feed."""
    since = limited.get_data("/api/changes")["cursor"]
    history.store(message_fact("hidden"), session="s2")
    history.store(message_fact("seen"))

    told = limited.get_data("/api/changes", since=since)["changes"]

    assert [one["message"]["message_text"] for one in told] == ["seen"]


def test_a_token_marks_only_chats_of_its_sessions_as_read(history: HistoryWriter, limited: ApiClient) -> None:
    """If a chat is marked as read in one session, the chat of the same contact in another session stays unread."""
    history.store(message_fact(), session="s1")
    history.store(message_fact(), session="s2")
    limited.post(f"/api/chats/{SENDER_PHONE}/read")

    assert history.rows("SELECT session_id, unread FROM chats ORDER BY session_id") == [("s1", 0), ("s2", 1)]


def test_numbers_of_the_whole_system_are_not_for_a_part_of_it(limited: ApiClient) -> None:
    """A total over all sessions would reveal information about each of them."""
    answer = limited.get("/api/ledger")

    assert (answer.status_code, answer.json()["code"]) == (403, "all_sessions_needed")


def test_a_token_may_do_only_what_its_scopes_allow(history: HistoryWriter, api_url: str) -> None:
    """A wall display must not be able to mark messages as read."""
    read, write = make(history, "read", "read"), make(history, "write", "write")

    def status(token: str, method: str, path: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return requests.request(method, api_url + path, headers=headers, timeout=30).status_code

    assert status(read, "GET", "/api/chats") == 200
    assert status(read, "POST", f"/api/chats/{SENDER_PHONE}/read") == 403
    assert status(write, "GET", "/api/chats") == 403
    assert status(write, "POST", f"/api/chats/{SENDER_PHONE}/read") == 200


def test_a_revoked_token_is_refused_at_once(history: HistoryWriter, api_url: str) -> None:
    """A lost laptop must lose access immediately, not when a cache expires."""
    headers = {"authorization": f"Bearer {make(history, 'lost')}"}
    before = requests.get(f"{api_url}/api/chats", headers=headers, timeout=30)
    with connections.open(history.database_url, "test") as connection:
        tokens.revoke(connection, "lost")
    after = requests.get(f"{api_url}/api/chats", headers=headers, timeout=30)

    assert (before.status_code, after.status_code) == (200, 401)


def test_a_token_above_its_rate_gets_the_time_of_the_next_request(history: HistoryWriter, api_url: str) -> None:
    """A script in an endless loop must not slow down other clients."""
    headers = {"authorization": f"Bearer {make(history, 'busy', rate=3)}"}
    answers = [requests.get(f"{api_url}/api/chats", headers=headers, timeout=30) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20


def test_writes_are_in_the_audit_log_and_reads_are_not(history: HistoryWriter, limited: ApiClient) -> None:
    """A path may contain a number in any spelling. Ids have no meaning once the chat is erased."""
    history.store(message_fact())
    limited.get("/api/chats")
    limited.post(f"/api/chats/{SENDER_PHONE}/read")
    limited.post("/api/chats/x/read")
    limited.post(f"/api/{SENDER_PHONE}")

    ((chat_id,),) = history.rows("SELECT chat_id FROM chats")
    assert history.rows("SELECT caller, method, path, status, chat_ids FROM audit_log ORDER BY audit_id") == [
        ("limited", "POST", "/api/chats/{phone}/read", 200, [chat_id]),
        ("limited", "POST", "/api/chats/{phone}/read", 400, []),
        ("limited", "POST", "(no such path)", 404, []),
    ]


@pytest.mark.parametrize(
    "name", ["", " wall", "wa\nll", "bootstrap", "Bo\u0301otstrap 2", "python -m store forget", "x" * 200]
)
def test_a_name_cannot_pass_for_another_caller(history: HistoryWriter, name: str) -> None:
    """The audit log and the lists of sends identify callers by name."""
    with pytest.raises(TokenNameError):
        make(history, name)


def test_tokens_are_stored_as_hashes_and_their_names_are_unique(history: HistoryWriter) -> None:
    """A stolen backup must not contain usable tokens."""
    token = make(history, "one")

    with pytest.raises(TokenNameTakenError):
        make(history, "one")
    assert token not in str(history.rows("SELECT * FROM api_tokens"))


def test_tokens_are_made_listed_and_revoked_from_the_command_line(history: HistoryWriter, api_url: str) -> None:
    """Run the commands of an operator. The token is printed once and works."""

    def command(*arguments: str) -> str:
        environ = {**os.environ, "DATABASE_URL": history.database_url}
        done = preloaded_python.run("api", "token", *arguments, environment=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    token = command("create", "wall", "--scope", "read", "--session", "s1")
    answer = requests.get(f"{api_url}/api/chats", headers={"authorization": f"Bearer {token}"}, timeout=30)

    assert answer.status_code == 200
    assert command("list") == "wall: read, s1, 600/min, active"
    command("create", "guest", "--days", "2")
    assert "guest: read, all sessions, 600/min, active until 20" in command("list")
    assert command("revoke", "wall") == "revoked wall"
    assert "revoked" in command("list")
