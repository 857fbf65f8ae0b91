"""Tests the files of the dashboard as they are served: small, self-contained and cached by their ETags."""

import posixpath
import re
from collections import Counter
from pathlib import Path

import pytest
import requests

from api.http import static
from dev.checkout import ROOT

FILES = sorted(path for path in static.DASHBOARD_FOLDER.rglob("*") if path.is_file())
TEXT_FILES = [path for path in FILES if path.suffix != ".png"]
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\\.')
"""A string in a script, or an escaped character."""
MAX_BYTES = 220_000
"""The maximum size without compression."""
MAX_START_BYTES = 75_000
"""The maximum size of the files that the first view needs, with compression."""
MAX_LINES = 250
MAX_FILES = 15
"""The maximum number of files in a folder."""
IMPORT = re.compile(r'^import[^"\n]*"(\.[\w./]+)";$', re.MULTILINE)
LATER_IMPORT = re.compile(r'\bimport\("(\.[\w./]+)"\)')
ANY_IMPORT = re.compile(r'^import\b|\bimport\(|^export .*\bfrom "', re.MULTILINE)
LAYERS = re.compile(r"^dashboard   (\S.*\n(?: {12}\S.*\n)+)", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(static.DASHBOARD_FOLDER).as_posix()


def imports(name: str, text: str, statement: re.Pattern[str]) -> set[str]:
    """Return the names of the files that a script imports."""
    return {posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) for path in statement.findall(text)}


def test_the_page_may_connect_only_to_its_own_server(api_url: str) -> None:
    """Text that became a script by mistake would not run, and could not send data anywhere."""
    policy = requests.get(api_url, timeout=30).headers["content-security-policy"]

    assert policy == static.CONTENT_SECURITY_POLICY
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")


def test_a_file_with_a_known_etag_is_not_sent_again(api_url: str) -> None:
    """Opening the dashboard again costs only a few empty responses, and shows an update at once."""
    first = requests.get(f"{api_url}/assets/main.js", timeout=30)
    again = requests.get(f"{api_url}/assets/main.js", headers={"if-none-match": first.headers["etag"]}, timeout=30)

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"


def test_a_file_of_the_pages_version_is_requested_once(api_url: str) -> None:
    """An upgrade changes the version. During it, processes of both versions answer, and a page may meet the other."""
    page = requests.get(api_url, timeout=30).text
    paths = re.findall(r'"(/assets/[0-9a-f]{12}/[\w/]+\.(?:css|js))"', page)
    named = requests.get(api_url + paths[-1], timeout=30)
    other = requests.get(f"{api_url}/assets/0123/main.js", timeout=30)

    assert len(paths) == 6
    assert paths[-1] == f"/assets/{static.load().version}/main.js"
    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert other.headers["cache-control"] == "no-cache"
    assert named.content == other.content


@pytest.mark.parametrize("name", ["main.js", "list/rows.js"])
def test_a_file_has_one_content_with_and_without_a_version(api_url: str, name: str) -> None:
    """The files of a folder import each other by relative paths, which keep the version."""
    version = static.load().version
    paths = (name, f"0123/{name}", f"{version}/{name}")
    plain, other, named = (requests.get(f"{api_url}/assets/{path}", timeout=30) for path in paths)

    assert [each.status_code for each in (plain, other, named)] == [200, 200, 200]
    assert plain.content == other.content == named.content
    assert "immutable" in named.headers["cache-control"]
    assert plain.headers["cache-control"] == other.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/assets/main.js", "/openapi.json", "/api/docs"])
def test_a_page_without_a_token_is_the_same_for_readers_of_every_encoding(api_url: str, path: str) -> None:
    """It is compressed only once, because strangers may request it at any rate."""
    plain, zipped = (
        requests.get(api_url + path, headers={"accept-encoding": encoding}, timeout=30)
        for encoding in ("identity", "gzip, br")
    )

    assert plain.content == zipped.content
    assert (plain.headers.get("content-encoding"), zipped.headers["content-encoding"]) == (None, "gzip")
    assert all("Accept-Encoding" in each.headers["vary"] for each in (plain, zipped))


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/list",
        "/assets/none.js",
        "/assets/rows.js",
        "/assets/0123/none.js",
        "/assets/0123/4567/main.js",
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
    ],
)
def test_a_path_without_a_file_of_the_dashboard_is_not_found(api_url: str, path: str) -> None:
    """The name in a request is only compared with known names. It never becomes a path on disk."""
    with requests.Session() as http:
        request = requests.Request("GET", api_url).prepare()
        request.url = api_url + path

        assert http.send(request, timeout=30).status_code == 404


def test_comments_and_most_spaces_are_not_served_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    """Therefore no string in a script spans several lines, and none contains text that would be removed."""
    script = tmp_path / "script.js"
    script.write_text(
        "/** Two\n * lines. */\n\tlet url = 'http://x'; // goes\n  // goes\nlet glob = 'a; // b/*c';\n"
        'f("a, b: c", d ? 1 : 2);\nf(`${a}, b: ${c}`);\n'
    )
    style = tmp_path / "style.css"
    style.write_text("/* All. */\na, b > c {\n\tmargin:0 calc(1px - 2px)\n}\n")

    assert static.read(script) == (
        b"\n\nlet url='http://x';\n\nlet glob='a; // b/*c';\nf(\"a, b: c\",d?1:2);\nf(`${a}, b: ${c}`);\n"
    )
    assert static.read(style) == b"\na,b>c{\nmargin:0 calc(1px - 2px)\n}\n"
    for path in TEXT_FILES:
        source, served = path.read_text(), static.read(path).decode()
        assert served.count("\n") == source.count("\n")
        if path.suffix == ".js":
            assert [text for text in STRING.findall(served) if text not in source] == []
            assert [line for line in source.splitlines() if STRING.sub("", line).count("`") % 2] == []


def test_the_service_worker_has_a_version_and_the_name_of_every_file_of_the_page(api_url: str) -> None:
    """If any file changes, the version changes, and the new version replaces the cached files on devices."""
    text = requests.get(f"{api_url}/service-worker.js", timeout=30).text
    found = re.match('const VERSION="([0-9a-f]{12})",NAMES="([^"]+)";', text)

    assert found
    assert set(found[2].split()) == {name_of(path) for path in FILES} - {"index.html", "service-worker.js"}


def test_the_dashboard_is_small() -> None:
    """The limit applies to all files in every language, which a phone on a slow connection must load."""
    dashboard = static.load()
    files = (dashboard.page, dashboard.service_worker, *dashboard.assets.values())
    size = sum(len(file.page.body) for file in files)
    start = {name for name in dashboard.assets if name.endswith(".css")}
    needed = {"main.js"}
    while needed:
        start |= needed
        bodies = {name: dashboard.assets[name].page.body.decode() for name in needed}
        needed = {path for name, body in bodies.items() for path in imports(name, body, IMPORT)} - start
    start_size = len(dashboard.page.page.compressed) + sum(
        len(dashboard.assets[name].page.compressed) for name in start
    )
    print(f"\n{size:,} bytes, {start_size:,} bytes in {len(start)} files for the start, compressed")

    assert size < MAX_BYTES
    assert start_size < MAX_START_BYTES
    assert [name_of(path) for path in TEXT_FILES if path.read_text().count("\n") > MAX_LINES] == []


@pytest.mark.parametrize("path", TEXT_FILES, ids=name_of)
def test_a_file_refers_to_no_other_server_and_has_no_inline_code(path: Path) -> None:
    """The content security policy would block both."""
    text = path.read_text()

    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\w[^\s'\"]*", text) == []
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_every_file_is_referenced_by_another() -> None:
    texts = {name_of(path): path.read_text() for path in TEXT_FILES}
    asked = {name for text in texts.values() for name in re.findall(r"/assets/([\w/]+\.\w+)", text)}
    for statement in (IMPORT, LATER_IMPORT):
        asked |= {path for name, text in texts.items() for path in imports(name, text, statement)}

    assert asked | {"index.html", "service-worker.js"} == {name_of(path) for path in FILES}


def test_imports_between_folders_point_one_way() -> None:
    """A line of docs/architecture.md imports only lines below it, and a folder is small enough to be read as a list."""
    block = LAYERS.search((ROOT / "docs" / "architecture.md").read_text())
    assert block
    layers = [line.split() for line in block[1].replace("|", " ").splitlines()]
    height = {folder: len(layers) - place for place, layer in enumerate(layers) for folder in layer}
    upwards: set[str] = set()
    for path in (path for path in FILES if path.suffix == ".js"):
        name, text = name_of(path), path.read_text()
        found = [*IMPORT.findall(text), *LATER_IMPORT.findall(text)]
        assert len(found) == len(ANY_IMPORT.findall(text)), name
        for imported in imports(name, text, IMPORT) | imports(name, text, LATER_IMPORT):
            folder, other = (posixpath.dirname(each) or Path(each).stem for each in (name, imported))
            if other != folder and height[other] >= height[folder]:
                upwards.add(f"{name} imports {imported}")

    assert upwards == set()
    assert max(Counter(path.parent for path in FILES).values()) <= MAX_FILES


def test_every_text_exists_in_every_language_and_is_used() -> None:
    """A missing key would appear on the page, and an unused one would be translated for nothing."""
    sources = [path for path in FILES if path.parent.name == "texts"]
    source = "\n".join(path.read_text() for path in sources)
    rows = dict(re.findall(r"^\t(\w+): (\[.*\]),$", source, re.MULTILINE))
    code = "\n".join(path.read_text() for path in FILES if path.suffix == ".js" and path not in sources)
    made = tuple(re.findall(r"`(\w+_)\$", code))
    asked = set(re.findall(r"\bt\(\"(\w+)\"", code))
    quoted = set(re.findall(r"\"(\w+)\"", code))

    assert [key for key, row in rows.items() if len(re.findall(r'"(?:[^"\\]|\\.)+"', row)) != 2] == []
    assert asked - set(rows) == set()
    assert {
        key for key in rows if key not in quoted and not key.startswith(made) and not key.endswith("_means")
    } == set()
