"""Tests the log lines for people and for programs."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry import log_format as telemetry_log_format
from telemetry import logs
from telemetry.errors import SettingsError

log = logging.getLogger("tests.telemetry")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Remove the handlers of the root logger, and restore them afterwards."""
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    logger.handlers = []
    yield
    logger.handlers = before
    logger.setLevel(level)


def told(environ: dict[str, str], stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.configure("ingest", environ, stream)
    return stream


def machine(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(each) for each in stream.getvalue().splitlines()]


def test_a_machine_gets_an_object_a_line_with_the_events_identity() -> None:
    """The response to a webhook contains `writer:number:index`, by which its event is found."""
    stream = told({})
    log.warning("event %s", "parked", extra={"event": "ab:7:3", "reason": "unknown_event"})
    (said,) = machine(stream)

    assert said.pop("at").endswith("Z")
    assert said == {
        "level": "WARNING",
        "process": "ingest",
        "logger": "tests.telemetry",
        "message": "event parked",
        "event": "ab:7:3",
        "reason": "unknown_event",
    }


def test_a_person_gets_a_sentence() -> None:
    stream = told({"LOG_FORMAT": "text"})
    log.info("stored", extra={"batches": ["ab:1-3", "cd:9"], "outcomes": {"stored": 2}})

    assert stream.getvalue().endswith(" ingest INFO stored [batches=ab:1-3,cd:9 outcomes=stored:2]\n")


@pytest.mark.parametrize(("stream", "is_json"), [(Terminal(), False), (io.StringIO(), True)])
def test_by_default_a_terminal_gets_text_and_a_collector_json(stream: io.StringIO, *, is_json: bool) -> None:
    told({}, stream)
    log.info("hello")

    assert stream.getvalue().startswith("{") is is_json


def test_a_field_that_is_not_allowed_is_not_logged() -> None:
    """A single mistake in the code must not log the text of a message."""
    stream = told({})
    log.warning("odd", extra={"text": "words of a stranger", "batch": "ab:1"})

    assert "stranger" not in stream.getvalue()
    assert machine(stream)[0]["batch"] == "ab:1"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_error_is_logged_by_type_and_place_without_its_message(log_format: str) -> None:
    """PostgreSQL's errors quote the row that it refuses."""
    stream = told({"LOG_FORMAT": log_format})
    try:
        int("words of a stranger")
    except ValueError:
        log.exception("it failed")

    assert "stranger" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "tests/telemetry/test_log_lines.py:" in stream.getvalue()


def test_one_record_is_one_line_whatever_is_in_it() -> None:
    """Otherwise, a sender could choose a name that adds lines to the log."""
    for log_format in ("json", "text"):
        stream = told({"LOG_FORMAT": log_format})
        log.info("a\nb\r\n{}\x1b[2J")

        assert len(stream.getvalue().splitlines()) == 1, log_format


def test_a_requests_log_lines_have_its_id() -> None:
    stream = told({})
    token = telemetry_log_format.LOG_CONTEXT.set({"request_id": "0123456789abcdef"})
    log.info("inside")
    telemetry_log_format.LOG_CONTEXT.reset(token)
    log.info("outside")
    inside, outside = machine(stream)

    assert inside["request_id"] == "0123456789abcdef"
    assert "request_id" not in outside


def test_the_level_is_set_by_name() -> None:
    stream = told({"LOG_LEVEL": "warning"})
    log.info("unheard")
    log.warning("heard")

    assert [said["message"] for said in machine(stream)] == ["heard"]


@pytest.mark.parametrize("environ", [{"LOG_LEVEL": "LOUD"}, {"LOG_FORMAT": "xml"}])
def test_an_unknown_log_setting_is_refused_by_name(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(environ))):
        told(environ)
