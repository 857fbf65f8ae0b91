"""Finds released versions in the git history; tests/upgrade/releases.toml lists them."""

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


class ReleaseNotFoundError(StartError):
    """The git history lacks the release."""


@dataclass(frozen=True, slots=True)
class Release:
    """One entry of releases.toml."""

    version: str
    commit: str
    """The full hash; landing may have rewritten it."""
    last_migration: str
    """The name of the newest file that the release has in store/migrations."""

    def find_commit(self, repository: Path = ROOT) -> str:
        """The hash of the release's commit in this history; raises ReleaseNotFoundError."""
        if _run_git(repository, "cat-file", "-e", f"{self.commit}^{{commit}}").returncode == 0:
            return self.commit
        migration = f"store/migrations/{self.last_migration}"
        changes = _run_git(repository, "rev-list", "--reverse", "HEAD", "--", "pyproject.toml", migration)
        for commit in changes.stdout.decode().split():
            if self._is_content_of(repository, commit, migration):
                return commit
        raise ReleaseNotFoundError(
            f"The git history has no commit of release {self.version} ({self.commit[:12]}, or one with {migration}). "
            "Fetch the whole history: git fetch --unshallow. "
            f"{changes.stderr.decode().strip()}".strip()
        )

    def _is_content_of(self, repository: Path, commit: str, migration: str) -> bool:
        project = _run_git(repository, "show", f"{commit}:pyproject.toml").stdout.decode()
        has_migration = _run_git(repository, "cat-file", "-e", f"{commit}:{migration}").returncode == 0
        return has_migration and f'\nversion = "{self.version}"\n' in project


def load(path: Path = RELEASES_FILE) -> dict[str, Release]:
    """The releases by version."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {version: Release(version, **entry) for version, entry in entries.items()}


def is_source_archive(repository: Path = ROOT) -> bool:
    """True where there is no repository, as in an unpacked source archive."""
    return not (repository / ".git").exists()


def extract(commit: str, folder: Path, repository: Path = ROOT) -> None:
    """Unpack the files of the commit into the folder; links are left out."""
    tree = _run_git(repository, "archive", "--format=tar", commit)
    if tree.returncode:
        raise StartError(f"git cannot read commit {commit}: {tree.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(tree.stdout)) as archive:
        archive.extractall(folder, filter=_without_links)  # noqa: S202 - the filter is stricter than "data"


def _without_links(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    return tarfile.data_filter(member, folder) if member.isfile() or member.isdir() else None


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
