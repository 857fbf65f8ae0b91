"""Finds released versions, which tests/upgrade/releases.toml lists, in the git history."""

import io
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dev.checkout import ROOT
from dev.errors import StartError

RELEASES_FOLDER = ROOT / "tests" / "upgrade"
RELEASES_FILE = RELEASES_FOLDER / "releases.toml"
MIGRATIONS = "store/migrations"


class ReleaseNotFoundError(StartError):
    """The release is not in the git history."""


@dataclass(frozen=True, slots=True)
class Release:
    """An entry of releases.toml."""

    version: str
    commit: str
    """The full hash. Rebasing may have changed it."""
    migrations: str
    """The git id of its folder store/migrations, which depends only on the content."""

    def find_commit(self, repository: Path = ROOT) -> str:
        """Return the hash of the release's commit in this history. Raises ReleaseNotFoundError."""
        if _run_git(repository, "cat-file", "-e", f"{self.commit}^{{commit}}").returncode == 0:
            return self.commit
        changes = _run_git(repository, "rev-list", "--reverse", "HEAD", "--", "pyproject.toml", MIGRATIONS)
        for commit in changes.stdout.decode().split():
            project = _run_git(repository, "show", f"{commit}:pyproject.toml").stdout.decode()
            if f'\nversion = "{self.version}"\n' in project and migrations_id(commit, repository) == self.migrations:
                return commit
        raise ReleaseNotFoundError(
            f"The git history has no commit of release {self.version}: neither {self.commit[:12]} nor one with the "
            f"migrations {self.migrations[:12]}. Fetch the whole history (git fetch --unshallow); if the release has "
            f"changed since, record it: python -m dev.release COMMIT {self.version}. "
            f"{changes.stderr.decode().strip()}".strip()
        )


def migrations_id(commit: str, repository: Path = ROOT) -> str:
    """Return the git id of the commit's migrations, or empty if it has none."""
    return _run_git(repository, "rev-parse", "--verify", "--quiet", f"{commit}:{MIGRATIONS}").stdout.decode().strip()


def load(path: Path = RELEASES_FILE) -> dict[str, Release]:
    """Return the releases by version."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {version: Release(version, **entry) for version, entry in entries.items()}


def save(release: Release, path: Path = RELEASES_FILE) -> None:
    """Add the release to the file, or replace its entry."""
    head, _, _ = path.read_text(encoding="utf-8").partition("\n[")
    entries = [
        f'\n["{entry.version}"]\ncommit = "{entry.commit}"\nmigrations = "{entry.migrations}"\n'
        for entry in (load(path) | {release.version: release}).values()
    ]
    path.write_text(head.rstrip() + "\n" + "".join(entries), encoding="utf-8")


def is_source_archive(repository: Path = ROOT) -> bool:
    """Return whether there is no repository, as in an unpacked source archive."""
    return not (repository / ".git").exists()


def extract(commit: str, folder: Path, repository: Path = ROOT) -> None:
    """Unpack the files of the commit into the folder, without links."""
    tree = _run_git(repository, "archive", "--format=tar", commit)
    if tree.returncode:
        raise StartError(f"git cannot read commit {commit}: {tree.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(tree.stdout)) as archive:
        # Python before 3.11.4 has no filters. Git keeps no path that leads out of the folder.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        files = [member for member in archive if member.isfile() or member.isdir()]
        archive.extractall(folder, files)  # noqa: S202 - see above


def _run_git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],  # noqa: S607 - found in PATH
            cwd=repository,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise StartError("git is not installed: install it, because releases are read from the history.") from None
