from pathlib import Path

import pytest

from dev.release import releases
from tests.support.project.old_release import OldRelease


@pytest.fixture(scope="session", params=releases.load().values(), ids=lambda release: release.version)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OldRelease:
    """Return a release that this version must run beside, unpacked from the git history."""
    if releases.is_source_archive():
        pytest.skip("a source archive has no git history to take the release from")
    recorded: releases.Release = request.param
    code: Path = tmp_path_factory.mktemp(f"release-{recorded.version}")
    releases.extract(recorded.find_commit(), code)
    return OldRelease(recorded.version, code)
