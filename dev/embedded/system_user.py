"""Finds the user that PostgreSQL runs as if this process runs as root, because PostgreSQL refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from dev.errors import StartError


@dataclass(frozen=True, slots=True)
class SystemUser:
    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Return whether this user can enter every folder of the path and execute the path itself."""
        path = path.resolve()
        return all(self._can_enter(place) for place in (*reversed(path.parents), path) if place.exists())

    def _can_enter(self, path: Path) -> bool:
        facts = path.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & stat.S_IXUSR)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & stat.S_IXGRP)
        return bool(facts.st_mode & stat.S_IXOTH)

    def give_ownership(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def for_data_folder(data: Path) -> SystemUser | None:
    """Return the user to run as, or None for that of this process.

    If this process runs as root, the user is the owner of the data, else postgres or nobody.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    for entry in pwd.getpwall():
        if owner and entry.pw_uid == owner:
            return SystemUser(entry.pw_uid, entry.pw_gid)
    if owner:
        raise StartError(
            f"{data} belongs to user {owner}, who no longer exists: give it to another user with chown -R."
        )
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(entry.pw_uid, entry.pw_gid)
    raise StartError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")
