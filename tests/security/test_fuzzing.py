"""Tests random events of strangers: parsers, spelling, snippets, cursors, exports and stream entries."""

import contextlib
import csv
import io
import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.chats import snippet
from api.chats.exports import export_formats
from api.chats.exports.export_heading import ExportHeading
from api.chats.exports.spreadsheet import Spreadsheet
from api.http import cursors
from environment.sender_kinds import KINDS
from ingest.queue import contract, writer_reports
from store.model import spelling
from store.reading.export import ExportChat, ExportPage, ExportPeriod
from store.search_index import search_document
from tests.support import workbook
from tests.support.attacks.fuzzing import TEXTS, bodies, fuzz
from tests.support.senders.outcome_checks import assert_storable
from worker.senders import dispatch

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@fuzz
def test_every_body_has_an_outcome_that_can_be_stored(kind: str, data: st.DataObject) -> None:
    """If a worker failed on a body, it would retry for ever."""
    body = data.draw(bodies(kind))
    redacted = dispatch.redact(f"{kind}:shop", body)

    assert_storable(dispatch.parse(f"{kind}:shop", body).outcome)
    assert dispatch.redact(f"{kind}:shop", redacted) == redacted


@given(text=TEXTS, query=TEXTS, fuzzy=st.booleans())
@example(text="\ufdfa" * 300, query="\ufdfa", fuzzy=False)
@fuzz
def test_every_text_has_one_spelling_and_a_snippet(text: str, query: str, *, fuzzy: bool) -> None:
    assert spelling.normalize(spelling.normalize(text)) == spelling.normalize(text)
    assert len(search_document.build(text)) <= 8 * len(text) + 8 * search_document.MAX_LENGTH
    words = search_document.split_query(query)
    found = snippet.extract(text * 50, words, fuzzy=fuzzy)
    assert all(0 <= start < end <= len(found.text) for start, end in found.ranges)
    assert len(found.text) <= 200


@given(
    values=st.lists(st.one_of(st.integers(0, 2**63 - 1), TEXTS), max_size=4), junk=st.one_of(TEXTS, st.text("-_aA0"))
)
@fuzz
def test_a_cursor_is_read_as_it_was_made_and_other_text_is_none(values: list[int | str], junk: str) -> None:
    types = [str if isinstance(value, str) else int for value in values]
    with contextlib.suppress(UnicodeEncodeError):
        cursor = cursors.encode("kind", *values)
        assert cursors.try_decode("kind", cursor, *types) in {tuple(values), None}
        assert cursors.try_decode("other", cursor, *types) is None
        assert cursors.try_decode("kind", cursor[:-1] + junk, *types) in {tuple(values), None}
    assert cursors.try_decode("kind", junk, *types) is None


@given(text=TEXTS, name=TEXTS)
@example(text="x\u2028[2026-01-01 00:00:00] -> 919811000001: forged", name="a\r\n")
@fuzz
def test_no_message_forges_a_line_or_a_formula_of_an_export(text: str, name: str) -> None:
    message = {
        "timestamp": 0, "direction": "incoming", "sender": None, "address": "919811000001", "deleted": False,
        "message_type": "text", "sender_name": name, "message_text": text, "caption": None,
    }  # fmt: skip
    page = ExportPage((json.dumps(message),), ExportChat("919811000001", name), is_first=True)
    heading = ExportHeading("conversation", ExportPeriod(), None, None, datetime.now(UTC))
    encoded = {form.name: form.encode_page(page, heading) for form in export_formats.FORMATS.values()}

    assert len(encoded["ndjson"].splitlines()) == 1
    assert json.loads(encoded["ndjson"])["message_text"] == text
    first, *others = encoded["txt"].removesuffix("\n").split("\n")
    assert first.startswith("[1970-01-01 00:00:00] <- 919811000001")
    assert all(line.startswith("    ") for line in others)
    assert not {unicodedata.category(character) for character in encoded["txt"] if character != "\n"} & {
        "Cc",
        "Cf",
        "Zl",
    }
    (row,) = csv.reader(io.StringIO(encoded["csv"], newline=""))
    for cell in row:
        for part in cell.replace(";", "\t").replace("|", "\t").splitlines():
            assert not part.lstrip(" ").startswith(("=", "+", "@", "\uff1d")), cell


@given(text=st.one_of(TEXTS, st.text("_x041A<>r/&;")), name=TEXTS)
@example(text="_x0041_x0042_x0043_", name="\ufffe")
@example(text="<r>x</r>", name="'")
@fuzz
def test_a_cell_of_a_workbook_has_what_was_written(text: str, name: str) -> None:
    """If a file contains a character that XML does not allow, Excel refuses the whole file."""
    nothing = dict.fromkeys(["from_number", "sender", "sender_name", "caption", "file_name", "status", "message_id"])
    message = nothing | {
        "timestamp": 0, "direction": "outgoing", "address": "919811000001", "deleted": False, "message_type": "text",
        "message_text": text, "session_id": "s1",
    }  # fmt: skip
    book = Spreadsheet(ExportHeading("conversation", ExportPeriod(), None, None, datetime.now(UTC), title=name))
    try:
        book.add(ExportPage((json.dumps(message),), ExportChat("919811000001", name), is_first=True))
        content = b"".join(book.finish())
    finally:
        book.close()

    row = workbook.rows(content)[1]
    assert workbook.unescape(row.get("G", "")).replace("_\u2060", "_") in {text, f"{text} "}
    assert workbook.unescape(row.get("B", "")).removesuffix(" ") == name.removesuffix(" ")


@given(head=st.recursive(st.one_of(st.none(), st.integers(), TEXTS), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["v", "writer", "number", "upto", "receipts", "sizes", "spooled", "trace", "order", "host"]), inner
), max_leaves=12), bodies=st.binary(max_size=20))  # fmt: skip
@example(head={"v": 1, "writer": "w", "number": 1, "upto": 1, "receipts": [1], "sizes": [1], "spooled": 0}, bodies=b"x")
@fuzz
def test_an_entry_is_a_batch_of_a_known_writer_or_unreadable(head: object, bodies: bytes) -> None:
    """An entry that might be a batch would stay in the ledger for ever."""
    fields = {b"head": json.dumps(head).encode(), b"bodies": bodies}
    contract.traceparents(fields)
    for report in writer_reports.from_hash({b"w": fields[b"head"], b"a" * 32: fields[b"head"]}):
        assert contract.WRITER_PATTERN.fullmatch(report.writer)
    with contextlib.suppress(contract.UnreadableEntryError):
        batch = contract.from_fields(fields)
        assert contract.WRITER_PATTERN.fullmatch(batch.writer)
        assert b"".join(batch.bodies) == bodies
