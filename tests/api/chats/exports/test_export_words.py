"""Tests exports in the reader's language, with labels and notes."""

import csv
import io
import re
from typing import get_args

from api.chats.exports import export_words
from dev.checkout import ROOT
from store.annotations import labels, notes, session_naming
from store.model.facts import MessageType, SessionReport
from store.postgres import connections
from store.reading.fragments.chat_scope import ChatScope
from tests.support import workbook
from tests.support.history.history_writer import (
    BASE_TIME,
    SENDER_LID,
    SENDER_PHONE,
    ApiClient,
    HistoryWriter,
    message_fact,
    name_fact,
)

PATH = f"/api/chats/{SENDER_PHONE}/export"
ROW = re.compile(r'^\t(\w+): \["(.+)", "(.+)"\],', re.MULTILINE)


def annotate(history: HistoryWriter) -> None:
    """Return a named chat with a label and a note, in a named session."""
    history.store(SessionReport("connected", "919800000001", BASE_TIME), name_fact("Asha"), message_fact("hello"))
    history.store(message_fact(type="image", at=1000, caption="roof", direction="outgoing"))
    history.store(message_fact("other", 2000, address=SENDER_LID))
    scope = ChatScope(SENDER_PHONE, None)
    with connections.open(history.database_url, "test") as connection:
        labels.change(connection, scope, "Ravi", ["थोक", "late"], [])
        notes.add(connection, scope, "Ravi", "Pays late\n-- forged")
        session_naming.change(connection, "s1", {"name": "Shop"})
    history.execute("UPDATE chat_notes SET created_at = '2025-06-16T06:00:00Z'")


def test_a_transcript_has_labels_notes_and_the_session_in_the_language_of_its_reader(
    history: HistoryWriter, client: ApiClient
) -> None:
    annotate(history)

    told = {
        language: client.get(PATH, format="txt", zone="Asia/Kolkata", language=language).text.splitlines()
        for language in export_words.LANGUAGES
    }

    english, hindi = (lines[:4] + lines[5:-1] for lines in told.values())
    assert english == [
        f"-- Conversation: Asha, {SENDER_PHONE}",
        "-- Session: Shop",
        "-- Period: the beginning to now",
        "-- Times: Asia/Kolkata",
        "-- Labels: late, थोक",
        "-- Note (Ravi, 2025-06-16 11:30): Pays late\\n-- forged",
        f"[2025-06-15 20:36:40] received {SENDER_PHONE} (Asha): hello",
        f"[2025-06-15 20:36:41] sent {SENDER_PHONE} [Photo]: roof",
    ]
    assert hindi == [
        f"-- बातचीत: Asha, {SENDER_PHONE}",
        "-- सत्र: Shop",
        "-- अवधि: शुरू से अब तक",
        "-- समय क्षेत्र: Asia/Kolkata",
        "-- लेबल: late, थोक",
        "-- नोट (Ravi, 2025-06-16 11:30): Pays late\\n-- forged",
        f"[2025-06-15 20:36:40] मिला {SENDER_PHONE} (Asha): hello",
        f"[2025-06-15 20:36:41] भेजा {SENDER_PHONE} [फ़ोटो]: roof",
    ]


def test_a_table_has_them_too_whichever_program_opens_it(history: HistoryWriter, client: ApiClient) -> None:
    """CSV and the workbook have the same columns. A program that requests no language gets the fields of the API."""
    annotate(history)

    content = client.get(PATH, format="csv", zone="Asia/Kolkata", language="hi").content.decode("utf-8-sig")
    book = client.get(PATH, format="xlsx", zone="Asia/Kolkata", language="hi").content
    plain = client.get(PATH, format="csv").content.decode("utf-8-sig")

    head, note, first, second, _ = csv.reader(io.StringIO(content, newline=""))
    assert head[:7] == ["समय", "चैट", "नंबर", "प्रेषक", "दिशा", "प्रकार", "टेक्स्ट"]
    assert note[:7] == ["2025-06-16 11:30:00", "Asha", SENDER_PHONE, "Ravi", "", "नोट", "Pays late\n'-- forged"]
    assert first[:7] == ["2025-06-15 20:36:40", "Asha", SENDER_PHONE, "Asha", "मिला", "टेक्स्ट", "hello"]
    assert (second[4:7], second[9:11]) == (["भेजा", "फ़ोटो", "roof"], ["Shop", "late, थोक"])
    messages, notes_sheet = workbook.rows(book), workbook.rows(book, sheet=3)
    assert list(messages[0].values()) == head
    assert [messages[2][column] for column in "EFGJK"] == ["भेजा", "फ़ोटो", "roof", "Shop", "late, थोक"]
    assert [notes_sheet[1][column] for column in "BCDE"] == ["Asha", SENDER_PHONE, "Ravi", "Pays late\n-- forged"]
    assert {row["A"]: row["B"] for row in workbook.rows(book, sheet=2)}.items() >= {"सत्र": "Shop", "संदेश": "2"}.items()
    assert plain.startswith('"id","session_id","address"')


def test_the_export_of_a_session_names_each_chat_before_its_messages(history: HistoryWriter, client: ApiClient) -> None:
    """An identity without a number is not shown as its hexadecimal or numeric id."""
    annotate(history)

    text = client.get("/api/sessions/s1/export", format="txt", language="hi").text
    answer = client.get("/api/sessions/s1/export", format="csv", language="hi")

    assert text.startswith("-- सत्र: Shop\n")
    assert f"-- बातचीत: Asha, {SENDER_PHONE}\n-- लेबल: late, थोक\n" in text
    assert f"-- बातचीत: निजी पहचान …{SENDER_LID.partition('@')[0][-4:]}\n" in text
    assert "@lid" not in text
    assert "UTF-8''Shop" in answer.headers["content-disposition"]
    assert client.get("/api/sessions/s1/export", format="txt", language="xx").status_code == 400


def test_the_dashboard_and_the_exports_have_the_same_words_for_every_type_of_message() -> None:
    """A type without a label would be shown as a word of the code."""
    rows: dict[str, tuple[str, str]] = {}
    for path in (ROOT / "api" / "dashboard" / "texts").glob("*.js"):
        rows |= {key: (english, hindi) for key, english, hindi in ROW.findall(path.read_text())}
    names = [f"type_{kind}" for kind in get_args(MessageType)]

    for name in (*names, "status_updates"):
        assert tuple(export_words.word(language, name) for language in export_words.LANGUAGES) == rows[name], name
