"""Checks the free disk space (PostgreSQL's too, if it is on this machine) and the spool files."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from store.doctor import finding
from store.doctor.finding import Finding
from store.erasure import quarantine as quarantine_file
from store.postgres.connections import Connection

_GIB = 1 << 30
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_EMPTY_SPOOL_BYTES = 64 << 10
"""A spool file in use cannot be read. A spool file without events is smaller than this."""
SPOOL_IN_USE_REMEDY = (
    "Find out why Redis did not confirm (findings about Redis, ingest's /readyz). The spool drains by itself."
)


def free_space(environ: Mapping[str, str]) -> list[Finding]:
    """Check the free space of DATA_DIR and SPOOL_DIR, and whether the spool can grow to its limit."""
    data_dir, spool_dir = _data_and_spool_dirs(environ)
    findings = [_space_finding("disk.data", "DATA_DIR", data_dir), _space_finding("disk.spool", "SPOOL_DIR", spool_dir)]
    limit = environ.get("SPOOL_MAX_BYTES", "").strip()
    max_bytes = int(limit) if limit.isdecimal() else _GIB
    free = shutil.disk_usage(_nearest_existing(spool_dir)).free
    if max_bytes <= free:
        return [*findings, finding.ok("spool.bound", "The spool's disk has room for SPOOL_MAX_BYTES.")]
    message = f"The spool may grow to {max_bytes / _GIB:.1f} GiB, and its disk has {free / _GIB:.1f} GiB left."
    remedy = "Lower SPOOL_MAX_BYTES, or move SPOOL_DIR to a larger disk."
    return [*findings, finding.warning("spool.bound", message, remedy)]


def postgresql_space(connection: Connection) -> list[Finding]:
    """Check the free space of PostgreSQL's data folder, if the server is on this machine and reveals the folder."""
    host = connection.info.host
    row = connection.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
    if not (host.startswith("/") or host in _LOCAL_HOSTS) or row is None:
        return []
    try:
        return [_space_finding("disk.postgresql", "PostgreSQL's data folder", Path(str(row[0])))]
    except OSError:
        return []  # the folder of another user or container


def spool_files(environ: Mapping[str, str]) -> list[Finding]:
    """Check the spool files on this machine.

    A file that an ingest holds drains by itself; others wait for an ingest.
    """
    name = "spool.files"
    _, folder = _data_and_spool_dirs(environ)
    abandoned = held = 0
    try:
        for path in sorted(folder.glob("*.spool")):
            events = _count_events(path)
            if events is None:
                held += _size(path) > _EMPTY_SPOOL_BYTES
            else:
                abandoned += events
        damaged = sorted(path.name for path in folder.glob("*.spool.damaged"))
    except (OSError, sqlite3.Error) as error:
        remedy = "Run the doctor as the user that runs ingest; if that fails as well, check the disk."
        return [finding.warning(name, f"SPOOL_DIR cannot be read ({type(error).__name__}).", remedy)]
    if abandoned:
        remedy = "Start an ingest with this SPOOL_DIR: it drains the files of dead ones."
        return [finding.broken(name, f"{abandoned} acknowledged events are in a spool that no ingest holds.", remedy)]
    if damaged:
        remedy = "Keep the file: `.recover` of sqlite3 may read it. `python -m store ledger` names the missing events."
        return [finding.broken(name, f"A damaged spool file was set aside: {damaged[0]}.", remedy)]
    if held:
        return [finding.warning(name, f"{held} spool files are in use.", SPOOL_IN_USE_REMEDY)]
    return [finding.ok(name, "No spool on this machine contains events.")]


def quarantine(environ: Mapping[str, str]) -> list[Finding]:
    """Check for webhooks on this machine whose signature fits no secret (ingest/quarantine/quarantine.py)."""
    name = "secrets.quarantine"
    path = quarantine_file.path(environ)
    try:
        size = quarantine_file.size(path)
    except (sqlite3.Error, OSError) as error:
        remedy = "Run the doctor as the user that runs ingest; if that fails as well, check the disk."
        return [finding.warning(name, f"{path} cannot be read ({type(error).__name__}).", remedy)]
    if size is None:
        return [finding.ok(name, "No webhook with a signature that fits no secret was kept.")]
    events, size_bytes = size
    if not events:
        return [finding.ok(name, "No webhook is kept whose signature fits no secret.")]
    message = f"{events} webhooks ({size_bytes} bytes) are kept whose signature fits no secret of ingest."
    remedy = (
        "If SAK sent them, add its secret (`python -m api sak register --url … --write-env .env`): ingest then stores"
        " them. Others are deleted after seven days."
    )
    return [finding.warning(name, message, remedy)]


def _count_events(path: Path) -> int | None:
    """Return the number of events in a file, or None if a process holds it."""
    with path.with_suffix(".lock").open("rb") as lock:
        try:
            # This lock is that of ingest. An ingest that starts in the meantime retries.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            (events,) = file.execute("SELECT coalesce(sum(events), 0) FROM batches").fetchone()
        return int(events)


def _size(path: Path) -> int:
    parts = (path, path.with_name(path.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def _space_finding(name: str, label: str, folder: Path) -> Finding:
    usage = shutil.disk_usage(_nearest_existing(folder))
    share = usage.free / usage.total
    message = f"{label} has {usage.free / _GIB:.1f} GiB left, {share:.0%} of its disk."
    remedy = "Free space or enlarge the disk. `python -m store retain` deletes old raw bodies from PostgreSQL."
    if usage.free < _GIB // 2:
        return finding.broken(name, message, remedy)
    if share < 0.1 and usage.free < 20 * _GIB:
        return finding.warning(name, message, remedy)
    return finding.ok(name, message)


def _nearest_existing(folder: Path) -> Path:
    """Return the folder, or its nearest existing parent."""
    folder = folder.absolute()
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _data_and_spool_dirs(environ: Mapping[str, str]) -> tuple[Path, Path]:
    return Path(environ.get("DATA_DIR") or "var"), quarantine_file.spool_dir(environ)
