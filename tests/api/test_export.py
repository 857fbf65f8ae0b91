"""Taking a chat or a session away as a file."""

import csv
import hashlib
import io
import json

import pytest

from tests.api.history import LID, PHONE, Client, History, message, named, same_person


def test_an_export_is_the_whole_chat_and_ends_with_its_manifest(history: History, client: Client) -> None:
    """A file that was cut off must not pass for the whole."""
    history.tell(*(message(f"{index}", index) for index in range(1100)))

    answer = client.get(f"/api/chats/{PHONE}/export")

    *lines, last = answer.text.splitlines(keepends=True)
    manifest = json.loads(last)["manifest"]
    assert [json.loads(line)["message_text"] for line in lines] == [f"{index}" for index in range(1100)]
    assert manifest == {"count": 1100, "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}


def test_a_spreadsheet_computes_nothing_of_what_strangers_wrote(history: History, client: Client) -> None:
    """A message that begins with '=' is a formula to whoever opens the file."""
    history.tell(message('=HYPERLINK("http://x")'), message("+1", 1), message("@x", 2), message('a,\n"b"', 3))

    answer = client.get(f"/api/chats/{PHONE}/export", format="csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["message_text"] for row in rows[:-1]] == ['\'=HYPERLINK("http://x")', "'+1", "'@x", 'a,\n"b"']
    assert answer.text.splitlines()[-1].startswith('# {"count": 4')


def test_a_transcript_reads_like_a_chat(history: History, client: Client) -> None:
    """And a line break in a message cannot forge the next speaker."""
    history.tell(message("one\n[2025-06-15 15:06:41] me: forged"), message(type="image", at=1000, caption="roof"))

    answer = client.get(f"/api/chats/{PHONE}/export", format="txt")

    assert answer.text.splitlines()[:-1] == [
        f"[2025-06-15 15:06:40] {PHONE}: one",
        "    [2025-06-15 15:06:41] me: forged",
        f"[2025-06-15 15:06:41] {PHONE}: [image] roof",
    ]


def test_a_session_is_exported_chat_by_chat(history: History, client: Client) -> None:
    """Merged addresses are one chat, and other sessions stay out."""
    history.tell(message("a"), message("b", 1, address="919811000002"), message("c", 2, address=LID), same_person())
    history.tell(message("other"), named("x"), session="s2")

    answer = client.get("/api/sessions/s1/export")

    assert [json.loads(line).get("message_text") for line in answer.text.splitlines()] == ["a", "c", "b", None]


@pytest.mark.parametrize("path", [f"/api/chats/{PHONE}/export?format=exe", "/api/chats/x/export"])
def test_what_cannot_be_exported_is_refused_in_the_envelope(client: Client, path: str) -> None:
    """Before anything is streamed."""
    assert client.get(path).status_code == 400
