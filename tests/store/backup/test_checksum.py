"""Tests the checksum at the end of a backup file."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from store.backup import checksum


@given(content=st.binary(min_size=1, max_size=2000), position=st.integers(0, 1999), change=st.integers(1, 255))
def test_a_changed_byte_is_noticed(content: bytes, position: int, change: int) -> None:
    """pg_restore takes a block header of zeros for the end of a table, and restores an empty table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        checksum.append(path)
        assert not checksum.is_wrong(path)
        damaged = bytearray(path.read_bytes())
        damaged[position % len(content)] ^= change
        path.write_bytes(damaged)

        assert checksum.is_wrong(path)


def test_a_file_without_a_checksum_is_not_wrong(tmp_path: Path) -> None:
    """Files of pg_dump itself can be restored, too."""
    (tmp_path / "file").write_bytes(b"PGDMP" + bytes(500))

    assert not checksum.is_wrong(tmp_path / "file")
