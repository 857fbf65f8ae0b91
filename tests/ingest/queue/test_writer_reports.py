"""Tests reading the reports in `sak:writers`, whatever else the hash contains."""

import json

import pytest

from ingest.queue import writer_reports
from ingest.queue.writer_reports import WriterReport

WRITER = "0123456789abcdef" * 2
REPORT = WriterReport(WRITER, 1_700_000_000_000, 7, 40, 3, "host", ended=False)


def test_a_report_is_read_as_it_was_written() -> None:
    assert writer_reports.from_hash({WRITER.encode(): writer_reports.to_value(REPORT)}) == [REPORT]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"7",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"seen_at": 1, "number": 1, "upto": 1, "spooled": 1, "host": "host"}).encode(),
        json.dumps({"seen_at": 1, "number": -1, "upto": 1, "spooled": 1, "host": "host", "ended": False}).encode(),
        json.dumps({"seen_at": 1, "number": True, "upto": 1, "spooled": 1, "host": "host", "ended": False}).encode(),
        json.dumps({"seen_at": 1, "number": 1 << 63, "upto": 1, "spooled": 1, "host": "", "ended": False}).encode(),
    ],
)
def test_a_value_that_is_no_report_is_left_out(value: bytes) -> None:
    """A foreign value in the hash must not stop the monitor."""
    fields = {b"f" * 32: value, WRITER.encode(): writer_reports.to_value(REPORT)}

    assert writer_reports.from_hash(fields) == [REPORT]


def test_a_field_that_names_no_writer_is_left_out() -> None:
    assert writer_reports.from_hash({b"no writer\xff": writer_reports.to_value(REPORT)}) == []


def test_a_later_version_may_add_facts() -> None:
    value = json.dumps(json.loads(writer_reports.to_value(REPORT)) | {"later": {}}).encode()

    assert writer_reports.from_hash({WRITER.encode(): value}) == [REPORT]
