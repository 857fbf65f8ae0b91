"""Prepares the folder of an embedded server, the lock on it, and the folder of its socket."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

from dev.embedded.system_user import SystemUser
from dev.errors import StartError
from environment import private_file

APPLICATION = "sak-history"
MAX_SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket: 104 bytes with the final NUL on macOS, 108 on Linux."""
MAX_LOG_BYTES = 10_000_000


class FolderLock:
    """The lock on a folder. It is held until released or until the process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Acquire the lock. Raises StartError naming its holder."""
        if self._file:
            return
        # The file is private, because everybody who can open a file can lock it.
        descriptor = private_file.open_descriptor(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        file = os.fdopen(descriptor, "a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).decode(errors="replace").strip() or "unknown"
            file.close()
            raise StartError(
                f"{self._path.parent} is in use by process {holder}, such as another ./run: stop it, or set DATA_DIR."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def prepare(folder: Path, user: SystemUser | None) -> Path:
    """Create the folder. If the server's user cannot reach it, create it as a link to a folder below /var/lib."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the link
    folder.parent.mkdir(parents=True, exist_ok=True)
    if user and not folder.exists() and not folder.is_symlink() and not user.can_reach(folder.parent):
        elsewhere = Path("/var/lib") / APPLICATION / _path_digest(folder)
        elsewhere.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(elsewhere)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711 if user else 0o700)
    if user and not user.can_reach(folder):
        raise StartError(
            f"{folder} cannot be reached by the user that PostgreSQL runs as: open its parents with chmod o+x."
        )
    return folder


def prepare_socket_folder(data_folder: Path, longest_name: str, user: SystemUser | None = None) -> Path:
    """Return a private folder for a socket: `run` in the data folder, or a fixed one below /tmp if that is too long."""
    folder = data_folder / "run"
    if len(os.fsencode(folder / longest_name)) > MAX_SOCKET_PATH_BYTES:
        folder = Path("/tmp") / f"{APPLICATION}-{os.geteuid()}-{_path_digest(data_folder)}"  # noqa: S108 - owner and mode are checked below
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid not in {os.geteuid(), user.uid if user else os.geteuid()}:
        raise StartError(f"{folder} belongs to another user: remove it, because the server's socket is created there.")
    folder.chmod(0o700)
    if user:
        user.give_ownership(folder)
    return folder


def open_log(path: Path) -> IO[bytes]:
    """Open the server's log for appending. A log that has grown large is moved aside once."""
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return os.fdopen(private_file.open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab")


def create_temporary() -> Path:
    """Return a folder for temporary servers, in memory if there is room. The caller must remove it."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    parent = memory if roomy else Path("/tmp")  # noqa: S108 - the same; the server's user may not reach $TMPDIR
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{APPLICATION}-tmp-", dir=parent))
    folder.chmod(0o711)
    return folder


def _remove_abandoned(parent: Path) -> None:
    """Remove folders left by killed runs: our own ones that are not new and not locked by a server."""
    for folder in parent.glob(f"{APPLICATION}-tmp-*"):
        try:
            facts = folder.stat()
            if facts.st_uid != os.geteuid() or time.time() - facts.st_mtime < 3600:
                continue
            locks = [FolderLock(path.parent) for path in folder.glob("*/lock")]
            for lock in locks:
                lock.acquire()
        except (OSError, StartError):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        for lock in locks:
            lock.release()


def _path_digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
