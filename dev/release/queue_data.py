"""Records the stream entries and the spool that a release's ingest writes, as text."""

import contextlib
import json
import shutil
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from dev.checkout import ROOT
from dev.embedded import data_folder
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.valkey import EmbeddedValkey
from dev.errors import StartError

SAMPLE_PAYLOADS = ("flat/text.json", "flat/image-with-link-and-caption.json", "address/lid-with-trusted-phone.json",
          "change/reaction.json", "ack/word-read.json", "hostile/latin-1.body")  # fmt: skip
TIMEOUT_SECONDS = 20.0


def record(code: Path, target: Path) -> None:
    """Write entries.json and spool.json into the target, from the same webhooks with Redis and without."""
    folder = data_folder.create_temporary()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/whatsapp-webhook"
    bodies = [(ROOT / "tests" / "payloads" / name).read_bytes() for name in SAMPLE_PAYLOADS]
    with EmbeddedValkey(folder / "valkey", ephemeral=True) as valkey:
        redis: Any = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType] - **kwargs
        environment = {
            "WEBHOOK_ALLOW_UNSIGNED": "1",
            "DATA_DIR": str(folder),
            "LISTEN_FD": str(listener.fileno()),
            "REDIS_URL": valkey.url,
        }
        with ManagedProcess(
            "ingest", environment, folder / "ingest.log", pass_fds=[listener.fileno()], code_folder=code
        ) as ingest:
            _post_webhooks(url, bodies)
            entries = [fields for _, fields in redis.xrange("sak:events")]
            redis.close()
            valkey.stop()
            _post_webhooks(url, [body.replace(b"3EB0", b"3EB1") for body in bodies])
            ingest.terminate()
    _write_json(target / "entries.json", [{name.decode(): _text(value) for name, value in e.items()} for e in entries])
    [spool] = (folder / "spool").glob("*.spool")
    _write_json(target / "spool.json", dump_spool(spool))
    shutil.rmtree(folder)


def dump_spool(path: Path) -> dict[str, Any]:
    """Return the table and the batches of a spool."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        [[schema]] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'batches'")
        rows = connection.execute("SELECT events, head, bodies FROM batches ORDER BY position").fetchall()
    batches = [{"events": events, "head": _text(head), "bodies": _text(bodies)} for events, head, bodies in rows]
    return {"schema": schema, "batches": batches}


def restore_spool(dump: dict[str, Any], path: Path) -> None:
    """Create the spool file that `dump_spool` described."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(dump["schema"])
        connection.executemany(
            "INSERT INTO batches (events, head, bodies) VALUES (?, ?, ?)",
            [(batch["events"], to_bytes(batch["head"]), to_bytes(batch["bodies"])) for batch in dump["batches"]],
        )


def _text(value: bytes) -> str:
    """Return the bytes as readable text. Latin-1 has one character for each byte."""
    return value.decode("latin-1")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a recorded text."""
    return text.encode("latin-1")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _post_webhooks(url: str, bodies: list[bytes]) -> None:
    for body in bodies:
        end = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                response = requests.post(url, data=body, timeout=TIMEOUT_SECONDS)
            except requests.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
                continue
            break
        if not response.ok:
            raise StartError(f"ingest answered {response.status_code} to a webhook: see its log.")
