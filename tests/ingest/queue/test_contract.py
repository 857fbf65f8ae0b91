"""Tests the format of stream entries, which versions of ingest and worker must share during a deployment."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.checkout import ROOT
from ingest.queue import contract

GOLDEN = ROOT / "tests" / "payloads" / "queue"
KEPT = contract.RawBatch(
    writer="0123456789abcdef0123456789abcdef",
    number=7,
    acknowledged_events=42,
    received_at=(1734621000123, 1734621000124),
    bodies=('{"text":"नमस्ते 😀"}'.encode(), b"\x00\xff"),
    spooled_events=3,
)


OF_SENDERS = KEPT._replace(senders=("", "waha:shop"))
VERSIONS = {1: KEPT, contract.SENDERS_VERSION: OF_SENDERS}
"""The batch of each golden entry, by its version."""


def fields_of(path: Path) -> dict[bytes, bytes]:
    return {name.encode(): text.encode("latin-1") for name, text in json.loads(path.read_text()).items()}


def test_an_entry_of_every_version_is_still_read() -> None:
    """When a new version starts, the stream and the spool contain entries of the previous version."""
    read = {int(path.stem): contract.from_fields(fields_of(path)) for path in GOLDEN.glob("*.json")}

    assert read == VERSIONS
    assert max(read) == contract.FORMAT_VERSION


@pytest.mark.parametrize("version", VERSIONS)
def test_an_entry_is_written_as_it_was_and_without_senders_as_older_workers_read_it(version: int) -> None:
    """Otherwise, workers of the same version number would differ."""
    assert contract.to_fields(VERSIONS[version]) == fields_of(GOLDEN / f"{version}.json")


@given(
    bodies=st.lists(st.binary()),
    number=st.integers(1, (1 << 63) - 1),
    upto=st.integers(0, (1 << 63) - 1),
    spooled=st.integers(0, 1 << 40),
    sender=st.sampled_from(["", "waha:shop"]),
)
def test_every_written_batch_is_read_back(
    bodies: list[bytes], number: int, upto: int, spooled: int, sender: str
) -> None:
    """Bodies are opaque: any bytes, none, or many."""
    batch = contract.RawBatch("a" * 32, number, upto, tuple(range(len(bodies))), tuple(bodies), spooled)
    if sender:
        batch = batch._replace(senders=(sender,) * len(bodies))

    assert contract.from_fields(contract.to_fields(batch)) == batch


HEAD = {"v": 1, "writer": "a" * 32, "number": 1, "upto": 1, "receipts": [1], "sizes": [1], "spooled": 0}


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="nesting"),
        pytest.param(HEAD | {"v": contract.FORMAT_VERSION + 1}, id="of a newer version"),
        pytest.param(HEAD | {"v": "1"}, id="of a version that is no number"),
        pytest.param(HEAD | {"sizes": [2]}, id="more bytes than there are"),
        pytest.param(HEAD | {"sizes": [0]}, id="fewer bytes than there are"),
        pytest.param(HEAD | {"sizes": [2, -1], "receipts": [1, 1]}, id="a negative size"),
        pytest.param(HEAD | {"receipts": []}, id="an event without a receipt"),
        pytest.param(HEAD | {"number": 0}, id="no number"),
        pytest.param(HEAD | {"number": True}, id="a number that is none"),
        pytest.param(HEAD | {"upto": 1 << 63}, id="a number that no bigint holds"),
        pytest.param(HEAD | {"writer": "w"}, id="a writer that is no id"),
        pytest.param(HEAD | {"writer": "A" * 32}, id="a writer in capitals, which would be a second spelling"),
        pytest.param(HEAD | {"writer": "a" * 31 + "\n"}, id="a writer with a line break"),
        pytest.param(HEAD | {"writer": None}, id="no writer"),
        pytest.param(HEAD | {"v": 2}, id="no senders"),
        pytest.param(HEAD | {"v": 2, "senders": ["waha:shop"] * 2}, id="more senders than events"),
        pytest.param(HEAD | {"v": 2, "senders": ["waha"]}, id="a sender without a name"),
        pytest.param(HEAD | {"v": 2, "senders": [7]}, id="a sender that is no text"),
        pytest.param({}, id="nothing"),
    ],
)
def test_every_invalid_entry_raises_the_same_error(head: bytes | dict[str, object]) -> None:
    """A foreign entry must be set aside by name, and never be mistaken for a temporary infrastructure error."""
    written = head if isinstance(head, bytes) else json.dumps(head).encode()

    with pytest.raises(contract.UnreadableEntryError):
        contract.from_fields({b"head": written, b"bodies": b"x"})


@given(
    spooled=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
        max_leaves=5,
    ),
    trace=st.integers() | st.text() | st.lists(st.none()),
)
def test_a_wrong_optional_fact_never_makes_an_entry_unreadable(spooled: object, trace: object) -> None:
    """A negative spool count once caused 7,232 acknowledged events to be set aside."""
    head = HEAD | {"spooled": spooled, "trace": trace, "added later": [1]}
    batch = contract.from_fields({b"head": json.dumps(head).encode(), b"bodies": b"x", b"added later": b"1"})

    assert batch.bodies == (b"x",)
    assert batch.spooled_events == (spooled if type(spooled) is int and 0 <= spooled < 1 << 63 else 0)


def test_an_entry_without_its_fields_is_no_batch_either() -> None:
    with pytest.raises(contract.UnreadableEntryError):
        contract.from_fields({b"other": b"x"})
