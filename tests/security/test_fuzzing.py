"""Inputs of strangers, drawn at random: HTTP, parsers, spelling, cursors, exports, `.env` and stream entries.

FUZZ_EXAMPLES is the number of inputs for each; those that once failed are explicit examples.
"""

import contextlib
import csv
import io
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from api.chats import export_formats, snippet
from api.http import cursors
from environment import env_file, secret_list
from environment.env_file import EnvFileError
from http_server.bounded_reader import OVERFLOW_CODE
from ingest.queue import contract, writer_reports
from store.feed import search_document
from store.model import spelling
from store.reading.export import ExportPage
from tests.support import http_conversations
from tests.support.http_conversations import Conversation
from tests.support.served_connection import converse
from tests.support.storable import assert_storable
from worker.senders import dispatch

T = TypeVar("T")

pytestmark = pytest.mark.long

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "payloads").rglob("*.json"))]
"""Bodies that gateways send."""
HTTP_CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "http_corpus").glob("*.http"))}
"""What a client may send over one connection, in the frames that servers have read in more than one way."""
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("\0\t\r\n\x1b\x85\u200b\u202e\u2028\u2029\ufeff\ufdfa\u0301\u0316\U0001f600=+-@|,;\"'\\#"),
)
TEXTS = st.text(CHARACTERS, max_size=300)
SENDERS = ["sak", "evolution", "gowa", "meta", "openwa", "waha"]


def fuzz(function: Callable[..., T]) -> Callable[..., T]:
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=health)(function)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body of a gateway, of which parts are cut out, repeated, moved or replaced."""
    body = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        replacement = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([b"null", b"{}", b"[]", b'"', b"-1", b"1e400", b'"\\ud800"', b"true", b"9" * 50]),
                st.just(bytes(body[end : end + 200])),
            )
        )
        body[start:end] = replacement
    return bytes(body)


@pytest.mark.parametrize("sender", SENDERS)
@given(body=bodies())
@fuzz
def test_every_body_has_an_outcome_that_can_be_stored(sender: str, body: bytes) -> None:
    """A worker that fails on a body would try it again for ever."""
    assert_storable(dispatch.parse(sender, body).outcome)


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
    encoded = {
        form: export_formats.FORMATS[form].encode_page(ExportPage((json.dumps(message),), name), ZoneInfo("UTC"))
        for form in export_formats.FORMATS
    }

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


@given(content=st.one_of(TEXTS, st.text("AB=#'\"\\ \n,")), secret=st.one_of(TEXTS, st.text("aA0._~+/=-", min_size=1)))
@example(content='WEBHOOK_SECRETS="a #b"\nX=1\n', secret="new")
@example(content='A="x\nWEBHOOK_SECRETS=old\n', secret="new")
@fuzz
def test_a_secret_changes_no_other_variable(
    tmp_path_factory: pytest.TempPathFactory, content: str, secret: str
) -> None:
    """The secret is an answer of the gateway, and the file what a person wrote."""
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


@given(head=st.recursive(st.one_of(st.none(), st.integers(), TEXTS), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["v", "writer", "number", "upto", "receipts", "sizes", "spooled", "trace", "order", "host"]), inner
), max_leaves=12), bodies=st.binary(max_size=20))  # fmt: skip
@example(head={"v": 1, "writer": "w", "number": 1, "upto": 1, "receipts": [1], "sizes": [1], "spooled": 0}, bodies=b"x")
@fuzz
def test_an_entry_is_a_batch_of_a_known_writer_or_unreadable(head: object, bodies: bytes) -> None:
    """An entry that cannot be told apart from a batch would stay in the ledger for ever."""
    fields = {b"head": json.dumps(head).encode(), b"bodies": bodies}
    contract.traceparents(fields)
    for report in writer_reports.from_hash({b"w": fields[b"head"], b"a" * 32: fields[b"head"]}):
        assert contract.WRITER_PATTERN.fullmatch(report.writer)
    with contextlib.suppress(contract.UnreadableEntryError):
        batch = contract.from_fields(fields)
        assert contract.WRITER_PATTERN.fullmatch(batch.writer)
        assert b"".join(batch.bodies) == bodies


@given(conversation=http_conversations.conversations(), data=st.data())
@fuzz
def test_requests_are_read_as_they_were_sent_and_answered_in_their_order(
    conversation: Conversation, data: st.DataObject
) -> None:
    """However their bytes are framed and cut, and whatever their trailers say."""
    parts = data.draw(http_conversations.cuts(len(conversation.sent)))
    served = converse([conversation.sent[start:end] for start, end in parts])

    assert served.seen == conversation.expected
    assert served.answers.count(b"HTTP/1.1 200 ") == len(conversation.expected)
    rest = served.answers
    for request in conversation.expected:
        if request.method != "HEAD":
            rest = rest[rest.index(request.digest) :]
    assert (served.refusals, served.errors, served.left) == ([], [], (0, 0))


@given(sent=http_conversations.damaged(list(HTTP_CORPUS.values())), data=st.data(), resets=st.booleans())
@fuzz
def test_whatever_a_client_sends_is_read_alike_and_leaves_nothing_behind(
    sent: bytes, data: st.DataObject, *, resets: bool
) -> None:
    """Bytes that are one request or two, depending on how they arrive, smuggle one."""
    parts = data.draw(http_conversations.cuts(len(sent)))
    whole, cut = converse([sent]), converse([sent[start:end] for start, end in parts], resets=resets)

    assume(OVERFLOW_CODE not in whole.refusals)
    assert whole.whole_requests[: len(cut.whole_requests)] == cut.whole_requests
    assert resets or whole.whole_requests == cut.whole_requests
    assert (whole.errors, whole.left, cut.errors, cut.left) == ([], (0, 0), [], (0, 0))


@pytest.mark.parametrize("name", HTTP_CORPUS)
def test_a_frame_that_servers_read_in_two_ways_is_read_in_one(name: str) -> None:
    sent = HTTP_CORPUS[name]
    whole, cut = converse([sent]), converse([sent[place : place + 1] for place in range(len(sent))])

    assert whole.whole_requests == cut.whole_requests
    assert (whole.errors, whole.left, cut.errors, cut.left) == ([], (0, 0), [], (0, 0))
