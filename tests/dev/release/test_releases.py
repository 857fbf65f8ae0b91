import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dev.release import queue_data, releases
from ingest.spool.spool_file import SpoolFile

REWRITTEN = "0" * 40
"""A hash that does not exist in the history."""


def commit(repository: Path, *, version: str, migrations: list[str]) -> str:
    """Create a commit with this version and these migrations, and return its hash."""
    folder = repository / "store" / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    (repository / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"\n')
    for name in migrations:
        (folder / name).write_text("SELECT 1;\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "a change")
    return git(repository, "rev-parse", "HEAD")


def git(repository: Path, *arguments: str) -> str:
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *author, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, version="0.9.0", migrations=["0001_first.sql"])
    return folder


def test_a_release_is_found_by_its_commit(repository: Path) -> None:
    released = commit(repository, version="1.0.0", migrations=["0002_last.sql"])
    commit(repository, version="1.1.0", migrations=["0003_next.sql"])

    assert releases.Release("1.0.0", released, "").find_commit(repository) == released


def test_a_release_is_found_by_content_where_the_history_was_rewritten(repository: Path) -> None:
    """It is the oldest commit that contains the version and the migrations, in whichever order they were added."""
    commit(repository, version="1.0.0", migrations=[])
    released = commit(repository, version="1.0.0", migrations=["0002_last.sql"])
    commit(repository, version="1.1.0", migrations=["0003_next.sql"])
    migrations = releases.migrations_id(released, repository)

    assert releases.Release("1.0.0", REWRITTEN, migrations).find_commit(repository) == released


def test_a_missing_release_is_an_error_that_asks_for_the_history(repository: Path) -> None:
    latest = commit(repository, version="1.1.0", migrations=["0002_last.sql", "0003_next.sql"])
    migrations = releases.migrations_id(latest, repository)

    with pytest.raises(releases.ReleaseNotFoundError, match=r"no commit of release 1\.0\.0: .*git fetch --unshallow"):
        releases.Release("1.0.0", REWRITTEN, migrations).find_commit(repository)


def test_a_saved_release_replaces_its_entry_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "releases.toml"
    path.write_text("# Releases.\n")
    first, second = releases.Release("1.0.0", "a", "b"), releases.Release("1.1.0", "c", "d")
    for release in (first, second, replace(second, commit="e")):
        releases.save(release, path)

    assert releases.load(path) == {"1.0.0": first, "1.1.0": replace(second, commit="e")}
    assert path.read_text().startswith("# Releases.\n")


def test_a_broken_repository_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert not releases.is_source_archive(tmp_path)
    with pytest.raises(releases.ReleaseNotFoundError, match="not a git repository"):
        releases.Release("1.0.0", REWRITTEN, "").find_commit(tmp_path)


def test_a_source_archive_has_no_repository(tmp_path: Path, repository: Path) -> None:
    assert releases.is_source_archive(tmp_path)
    assert not releases.is_source_archive(repository)


def test_the_tree_of_a_commit_is_extracted(repository: Path, tmp_path: Path) -> None:
    released = commit(repository, version="1.0.0", migrations=["0002_last.sql"])
    commit(repository, version="1.1.0", migrations=["0003_next.sql"])
    releases.extract(released, tmp_path / "code", repository)

    names = [path.name for path in sorted((tmp_path / "code" / "store" / "migrations").iterdir())]
    assert names == ["0001_first.sql", "0002_last.sql"]


def test_a_spool_is_the_same_after_a_dump_and_a_restore(tmp_path: Path) -> None:
    spool = SpoolFile.try_open(tmp_path / "one.spool")
    assert spool is not None
    spool.append({b"head": b'{"v":1}', b"bodies": b"\x00\xff"}, events=1)
    spool.close()
    dump = queue_data.dump_spool(tmp_path / "one.spool")
    queue_data.restore_spool(dump, tmp_path / "two.spool")

    assert queue_data.dump_spool(tmp_path / "two.spool") == dump
