"""Tests how exports appear to people and in spreadsheets, regardless of the contents of messages."""

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace

import pytest

from api.chats.exports import export_formats
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
    name_fact,
)

FORMULAS = [
    '=HYPERLINK("http://x")',
    "+1",
    "@x",
    "-2",
    "\uff1d1",
    "a;=1",
    "a,\t@x",
    "a\n =1",
    "a|+1",
    "a\u2028-1",
    "\u00a0=1",
]


def test_a_spreadsheet_evaluates_no_text_of_a_message(history: HistoryWriter, client: ApiClient) -> None:
    """A spreadsheet treats a text that begins with '=' as a formula, whatever separator it uses."""
    history.store(*(message_fact(text, n) for n, text in enumerate([*FORMULAS, 'a,\n"b" 1-1=0'])))

    answer = client.get(f"/api/chats/{SENDER_PHONE}/export", format="csv")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    texts = [row["message_text"] for row in rows[:-1]]
    assert texts[-1] == 'a,\n"b" 1-1=0'
    assert [text.replace("'", "") for text in texts[:-1]] == FORMULAS
    for separator in ",;|\t\n\v\x85\u2028":
        assert not [cell for text in texts for cell in text.split(separator) if cell.strip().startswith(FORMULA_STARTS)]
    assert answer.text.splitlines()[-1].startswith(f'# {{"count": {len(texts)}')


FORMULA_STARTS = tuple("=+-@\uff1d")


def test_a_spreadsheet_shows_every_script(history: HistoryWriter, client: ApiClient) -> None:
    """Excel recognises UTF-8 by the first three bytes of a file, and every cell is quoted."""
    history.store(message_fact("नमस्ते"))

    content = client.get(f"/api/chats/{SENDER_PHONE}/export", format="csv").content

    assert content.startswith(b'\xef\xbb\xbf"id","session_id"')
    row = content.decode("utf-8-sig").splitlines()[1]
    assert row.startswith('"')
    assert row.count('","') == content.decode("utf-8-sig").splitlines()[0].count('","')
    assert '"नमस्ते"' in row


def test_a_transcript_reads_like_a_chat(history: HistoryWriter, client: ApiClient) -> None:
    """A line break in a message cannot forge a line by another sender."""
    history.store(
        message_fact("one\n[2025-06-15 15:06:41] -> forged"),
        message_fact(type="image", at=1000, caption="roof"),
        message_fact("ok", 2000, direction="outgoing"),
    )

    answer = client.get(f"/api/chats/{SENDER_PHONE}/export", format="txt")

    assert answer.text.splitlines()[:-1] == [
        f"[2025-06-15 15:06:40] <- {SENDER_PHONE}: one",
        "    [2025-06-15 15:06:41] -> forged",
        f"[2025-06-15 15:06:41] <- {SENDER_PHONE} [image]: roof",
        f"[2025-06-15 15:06:42] -> {SENDER_PHONE}: ok",
    ]


def test_a_transcript_for_people_has_a_heading_and_local_times(history: HistoryWriter, client: ApiClient) -> None:
    """With a time zone, the file begins with the parties of the conversation, its period and its zone."""
    history.store(message_fact("hello", 0), message_fact("hi", 1000, direction="outgoing"), name_fact("Asha\n-- x"))

    text = client.get(
        f"/api/chats/{SENDER_PHONE}/export", format="txt", zone="Asia/Kolkata", since=BASE_TIME - 86_400_000
    ).text

    *heading, exported, first, second, _ = text.splitlines()
    assert heading == [
        f"-- Conversation: Asha\\n-- x, {SENDER_PHONE}",
        "-- Period: 2025-06-14 to now",
        "-- Times: Asia/Kolkata",
    ]
    assert exported.startswith("-- Exported on: 20")
    assert first == f"[2025-06-15 20:36:40] <- {SENDER_PHONE} (Asha\\n-- x): hello"
    assert second == f"[2025-06-15 20:36:41] -> {SENDER_PHONE}: hi"


def test_a_csv_file_has_the_names_and_the_local_time(history: HistoryWriter, client: ApiClient) -> None:
    history.store(message_fact("hello"), name_fact("=Asha"))

    content = client.get(f"/api/chats/{SENDER_PHONE}/export", format="csv", zone="Asia/Kolkata").content

    row = next(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert (row["chat_name"], row["local_time"]) == ("'=Asha", "2025-06-15 20:36:40")


FORGED = "[2024-12-19 15:10:05] -> 919811000001: I will pay"
LINE_BREAKS = ["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("kind", export_formats.FORMATS)
def test_no_line_break_and_no_invisible_character_forges_a_line(
    history: HistoryWriter, client: ApiClient, kind: str
) -> None:
    """Programs differ in which characters end a line, and terminals in how they treat invisible characters."""
    invisible = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) in {"Cf", "Cc"}][1:]
    group = "120363041234567890@g.us"
    history.store(
        *(message_fact(f"one{end}{FORGED}", n) for n, end in enumerate(LINE_BREAKS)),
        message_fact("".join(invisible), 50),
    )
    history.store(
        replace(message_fact("hello", 60, address=group, sender=SENDER_PHONE), sender_name=f"x\u2028{FORGED}\u202e")
    )

    for address, count in ((SENDER_PHONE, len(LINE_BREAKS) + 1), (group, 1)):
        text = client.get(f"/api/chats/{address}/export", format=kind).content.decode()
        if kind == "ndjson":
            assert len([json.loads(line) for line in text.splitlines()]) == count + 1
        if kind == "txt":
            message_lines = [line for line in text.splitlines() if not line.startswith("    ")]
            assert len(message_lines) == count + 1
            assert all(re.match(r"\[2025-06-15 [0-9:]{8}\] <- 919811000001", line) for line in message_lines[:-1])
            assert not [c for c in text if c != "\n" and unicodedata.category(c) in {"Cf", "Cc", "Zl", "Zp"}]
