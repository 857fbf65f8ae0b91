"""Disk space where we write, PostgreSQL's data where it lies on this machine, and what lies in the spool."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres.connections import Connection

_GIB = 1 << 30
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_EMPTY_SPOOL_BYTES = 64 << 10
"""A spool file that is held cannot be looked into; an empty one is smaller than this."""


def free_space(environ: Mapping[str, str]) -> list[Finding]:
    """How much is left for DATA_DIR and SPOOL_DIR, and whether the spool could grow as large as it may."""
    data_dir, spool_dir = _data_and_spool_dirs(environ)
    found = [_space_finding("disk.data", "DATA_DIR", data_dir), _space_finding("disk.spool", "SPOOL_DIR", spool_dir)]
    bound = environ.get("SPOOL_MAX_BYTES", "").strip()
    most = int(bound) if bound.isdecimal() else _GIB
    free = shutil.disk_usage(_nearest_existing(spool_dir)).free
    if most > free:
        sentence = f"The spool may grow to {most / _GIB:.1f} GiB, and its disk has {free / _GIB:.1f} GiB left."
        found.append(
            finding.warning("spool.bound", sentence, "Lower SPOOL_MAX_BYTES, or let SPOOL_DIR lie on a larger disk.")
        )
    else:
        found.append(finding.ok("spool.bound", "The spool's disk has room for SPOOL_MAX_BYTES."))
    return found


def postgresql_space(connection: Connection) -> list[Finding]:
    """Only where the server is on this machine and tells where its data lies."""
    host = connection.info.host
    row = connection.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
    if not (host.startswith("/") or host in _LOCAL_HOSTS) or row is None:
        return []
    folder = Path(str(row[0]))
    try:
        return [_space_finding("disk.postgresql", "PostgreSQL's data folder", folder)]
    except OSError:
        return []  # another user's, or another container's


def spool_files(environ: Mapping[str, str]) -> list[Finding]:
    """Spool files here: what an ingest holds drains by itself, what nobody holds waits for an ingest."""
    name = "spool.files"
    _, folder = _data_and_spool_dirs(environ)
    left = held = 0
    damaged: list[str] = []
    try:
        for path in sorted(folder.glob("*.spool")):
            events = _count_events(path)
            if events is None:
                held += _size(path) > _EMPTY_SPOOL_BYTES
            else:
                left += events
        damaged = sorted(path.name for path in folder.glob("*.spool.damaged"))
    except (OSError, sqlite3.Error) as error:
        cure = "Run the doctor as the user that runs ingest; if that fails as well, look at the disk."
        return [finding.warning(name, f"SPOOL_DIR cannot be looked into ({type(error).__name__}).", cure)]
    if left:
        cure = "Start an ingest with this SPOOL_DIR: it takes over what a dead one left."
        return [finding.broken(name, f"{left} acknowledged events lie in a spool that no ingest holds.", cure)]
    if damaged:
        cure = "Keep the file: sqlite3's .recover may read it. `python -m store ledger` says what is missing."
        return [finding.broken(name, f"A damaged spool file was set aside: {damaged[0]}.", cure)]
    if held:
        cure = "See why Redis did not confirm (ingest's /readyz, and the findings about Redis); it drains by itself."
        return [finding.warning(name, f"{held} spool files are in use.", cure)]
    return [finding.ok(name, "No event lies in a spool on this machine.")]


def _count_events(path: Path) -> int | None:
    """How many events an unheld file has; None while a process holds it."""
    with path.with_suffix(".lock").open("rb") as lock:
        try:
            # As ingest does: who comes meanwhile finds it held, and looks again.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            (events,) = file.execute("SELECT coalesce(sum(events), 0) FROM batches").fetchone()
        return int(events)


def _size(path: Path) -> int:
    parts: Iterable[Path] = (path, path.with_name(path.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def _space_finding(name: str, label: str, folder: Path) -> Finding:
    usage = shutil.disk_usage(_nearest_existing(folder))
    share = usage.free / usage.total
    sentence = f"{label} has {usage.free / _GIB:.1f} GiB left, {share:.0%} of its disk."
    cure = "Make room, or a larger disk; `python -m store retain` forgets old bodies where it is there."
    if usage.free < _GIB // 2:
        return finding.broken(name, sentence, cure)
    if share < 0.1 and usage.free < 20 * _GIB:
        return finding.warning(name, sentence, cure)
    return finding.ok(name, sentence)


def _nearest_existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _data_and_spool_dirs(environ: Mapping[str, str]) -> tuple[Path, Path]:
    data_dir = Path(environ.get("DATA_DIR") or "var")
    return data_dir, Path(environ.get("SPOOL_DIR") or data_dir / "spool")
