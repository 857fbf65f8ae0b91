"""`python -m dev.release COMMIT VERSION`: keeps what later versions have to get along with, in tests/upgrade.

Its worker, its api and its migrations, as code that runs, and what its ingest writes into the stream and into a spool.
"""

import io
import json
import lzma
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from dev.chaos.managed_process import ManagedProcess
from dev.checkout import ROOT
from dev.embedded import data_folder
from dev.embedded.valkey import EmbeddedValkey
from dev.errors import StartError

ARCHIVED_PATHS = ("store", "worker", "api", "ingest/__init__.py", "ingest/queue.py", "ingest/failpoint.py")
"""What speaks to PostgreSQL; of ingest that is the contract of the queue."""
SAMPLE_PAYLOADS = ("flat/text.json", "flat/image-with-link-and-caption.json", "address/lid-with-trusted-phone.json",
          "change/reaction.json", "ack/word-read.json", "hostile/latin-1.body")  # fmt: skip
TIMEOUT_SECONDS = 20.0


def archive_release(commit: str, version: str) -> Path:
    """The folder, made anew."""
    place = ROOT / "tests" / "upgrade" / version
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "code.tar.xz").write_bytes(lzma.compress(_git_archive(commit, *ARCHIVED_PATHS), preset=9))
    with tempfile.TemporaryDirectory() as code:
        with tarfile.open(fileobj=io.BytesIO(_git_archive(commit))) as archive:
            archive.extractall(code, filter="data")
        _record_queue_data(Path(code), place)
    return place


def _git_archive(commit: str, *paths: str) -> bytes:
    return subprocess.run(
        ["git", "archive", "--format=tar", commit, "--", *paths],  # noqa: S607 - whichever git there is
        cwd=ROOT, check=True, capture_output=True,
    ).stdout  # fmt: skip


def _record_queue_data(code: Path, place: Path) -> None:
    """Let the release's ingest write entries while Redis is there, and a spool while it is not."""
    folder = data_folder.create_temporary()
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        "WEBHOOK_ALLOW_UNSIGNED": "1",
        "DATA_DIR": str(folder),
        "LISTEN_FD": str(listener.fileno()),
    }
    bodies = [(ROOT / "tests" / "payloads" / name).read_bytes() for name in SAMPLE_PAYLOADS]
    with EmbeddedValkey(folder / "valkey", ephemeral=True) as valkey:
        redis: Any = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        log = folder / "ingest.log"
        ingest = ManagedProcess(
            "ingest", environment | {"REDIS_URL": valkey.url}, log, pass_fds=[listener.fileno()], code_folder=code
        )
        with ingest:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/whatsapp-webhook"
            _post_webhooks(url, bodies)
            entries = [fields for _, fields in redis.xrange("sak:events")]
            redis.close()
            valkey.stop()
            _post_webhooks(url, [body.replace(b"3EB0", b"3EB1") for body in bodies])
            ingest.terminate()
    # Latin-1 has a character for each byte, so that the entries can be read where they are kept.
    said = [{name.decode(): value.decode("latin-1") for name, value in fields.items()} for fields in entries]
    (place / "entries.json").write_text(json.dumps(said, indent=1) + "\n")
    for spool in (folder / "spool").glob("*.spool"):
        shutil.copy(spool, place / "one.spool")
    shutil.rmtree(folder)


def _post_webhooks(url: str, bodies: list[bytes]) -> None:
    for body in bodies:
        end = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                answer = requests.post(url, data=body, timeout=TIMEOUT_SECONDS)
            except requests.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
                continue
            break
        if not answer.ok:
            raise StartError(f"ingest answered {answer.status_code}")


if __name__ == "__main__":
    print(archive_release(*sys.argv[1:3]))
