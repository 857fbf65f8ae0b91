"""Tests that images, documents and videos are sent and not stored."""

import hashlib
import http.client
import io
import tracemalloc
import zipfile
from urllib.parse import urlsplit

import pytest
import requests

from dev.gateway.server import PretendGateway
from tests.support.history.history_writer import ApiClient, HistoryWriter
from tests.support.processes.sending_api import RECIPIENT_PHONE, ApiStarter

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
MP4 = b"\x00\x00\x00\x18ftypmp42" + b"frames"
PDF = b"%PDF-1.7 pages"


def post(
    sender: ApiClient, kind: str, content: bytes, name: str = "x", key: str = "", **fields: str
) -> requests.Response:
    return sender.http.post(
        f"{sender.url}/api/send",
        data={"to": RECIPIENT_PHONE, **fields},
        files={kind: (name, io.BytesIO(content), "application/x-anything")},
        headers={"Idempotency-Key": key} if key else {},
        timeout=60,
    )


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("word/document.xml", "<w/>")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "content", "name", "mime_type"),
    [
        ("image", PNG, "photo.png", "image/png"),
        ("image", b"\xff\xd8\xff\xe0jpeg", "whatever.txt", "image/jpeg"),
        ("image", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a.webp", "image/webp"),
        ("video", MP4, "clip.mp4", "video/mp4"),
        ("video", b"\x00\x00\x00\x14ftypqt  ", "clip.mov", "video/quicktime"),
        ("document", PDF, "invoice.pdf", "application/pdf"),
        ("document", PDF, "invoice", "application/pdf"),
        ("document", "क,b\n".encode(), "list.csv", "text/csv"),
        ("document", b"\x00\x01\x02", "data.bin", "application/octet-stream"),
        ("document", archive(), "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("document", PNG, "scan.png", "image/png"),
    ],
)
def test_a_file_arrives_whole_with_the_type_of_its_content(  # noqa: PLR0917 - a table of four columns
    kind: str, content: bytes, name: str, mime_type: str, gateway: PretendGateway, sending_client: ApiClient
) -> None:
    """The type is detected from the content. Each request claims application/x-anything."""
    answer = post(sending_client, kind, content, name, caption="see this")
    (reached,) = gateway.state.delivered_messages()
    (shown,) = sending_client.get_data(f"/api/chats/{RECIPIENT_PHONE}")["messages"]

    assert answer.status_code == 200, answer.text
    assert reached.attachment
    assert reached.attachment.sha256 == hashlib.sha256(content).hexdigest()
    assert (reached.attachment.name, reached.attachment.mime_type) == (name, mime_type)
    assert (shown["message_type"], shown["caption"], shown["message_text"]) == (kind, "see this", None)
    assert (shown["mime_type"], shown["file_name"], shown["content_state"]) == (mime_type, name, "media_missing")


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [
        ("image", PDF, "photo.png"),
        ("image", b"\x00\x00\x00\x18ftypheic", "photo.jpg"),
        ("video", PNG, "clip.mp4"),
        ("video", b"MZ\x90\x00", "clip.mp4"),
        ("document", b"MZ\x90\x00", "invoice.pdf"),
        ("document", b"<html>", "report.docx"),
    ],
)
def test_a_file_whose_content_contradicts_its_name_is_refused(
    kind: str, content: bytes, name: str, gateway: PretendGateway, sending_client: ApiClient
) -> None:
    """A recipient who opens invoice.pdf expects a PDF."""
    answer = post(sending_client, kind, content, name)

    assert (answer.status_code, answer.json()["code"]) == (415, "bad_file_type")
    assert gateway.state.call_counts() == {}


def test_a_file_that_is_too_large_is_refused_without_being_read(gateway: PretendGateway, start_api: ApiStarter) -> None:
    """A file of any size must not fill a disk of the server."""
    sender = start_api(SEND_MAX_FILE_BYTES="1000")
    little = post(sender, "document", PDF + b"x" * 1000)
    # It is larger than socket buffers, so it is refused during the transfer.
    try:
        much = post(sender, "document", PDF + b"x" * (32 << 20)).status_code
    except requests.ConnectionError:
        much = 413

    assert (little.status_code, little.json()["code"], much) == (413, "body_too_large", 413)
    assert post(sender, "document", PDF + b"x" * 900).status_code == 200
    assert gateway.call_count("POST /messages/send-document") == 1


def test_a_large_file_is_not_held_in_memory(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """Ten of them at the same time would exceed the memory of a small server."""
    block, blocks = bytes(1 << 16), 400
    parts = [HEAD, PDF, *[block] * blocks, TAIL]
    headers = {
        "Authorization": str(sending_client.http.headers["authorization"]),
        "Content-Type": "multipart/form-data; boundary=B",
        "Content-Length": str(sum(map(len, parts))),
    }
    connection = http.client.HTTPConnection(urlsplit(sending_client.url).netloc, timeout=60)
    tracemalloc.start()
    try:
        connection.request("POST", "/api/send", iter(parts), headers)
        status = connection.getresponse().status
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        connection.close()
    (reached,) = gateway.state.delivered_messages()

    assert status == 200
    assert reached.attachment
    assert reached.attachment.size == len(PDF) + blocks * len(block)
    # The gateway runs in the same process. Both hold one megabyte before they use the disk.
    assert peak < blocks * len(block) / 2


HEAD = (
    f'--B\r\nContent-Disposition: form-data; name="to"\r\n\r\n{RECIPIENT_PHONE}\r\n'
    '--B\r\nContent-Disposition: form-data; name="document"; filename="a.pdf"\r\n\r\n'
).encode()
TAIL = b"\r\n--B--\r\n"


@pytest.mark.parametrize(
    ("data", "files"),
    [
        ({"to": RECIPIENT_PHONE}, {"picture": ("a.png", PNG)}),
        ({"to": RECIPIENT_PHONE}, {"image": ("a.png", PNG), "video": ("a.mp4", MP4)}),
        ({"to": RECIPIENT_PHONE, "caption": "x" * 1025}, {"image": ("a.png", PNG)}),
        ({}, {"image": ("a.png", PNG)}),
        ({"to": RECIPIENT_PHONE}, {"image": ("a.png", b"")}),
    ],
)
def test_a_form_with_missing_or_repeated_fields_is_refused(
    data: dict[str, str], files: dict[str, tuple[str, bytes]], gateway: PretendGateway, sending_client: ApiClient
) -> None:
    """A request has one file, one recipient and one caption."""
    answer = sending_client.http.post(f"{sending_client.url}/api/send", data=data, files=files, timeout=30)

    assert answer.status_code == 400
    assert gateway.state.call_counts() == {}


@pytest.mark.parametrize("body", [b"", b"--B", HEAD, b"--B\r\n\r\n\r\n--B--\r\n", b"\x00" * 100])
def test_a_broken_form_is_refused(body: bytes, sending_client: ApiClient) -> None:
    """There must be no 500, and no temporary file must remain."""
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = sending_client.http.post(f"{sending_client.url}/api/send", data=body, headers=headers, timeout=30)

    assert answer.status_code == 400


def test_a_form_in_another_charset_is_refused_unread(sending_client: ApiClient) -> None:
    """Python takes 4.5 s to decode half a megabyte of punycode in the event loop, and the time grows quadratically."""
    headers = {"Content-Type": "multipart/form-data; boundary=B; charset=punycode"}
    body = HEAD.replace(RECIPIENT_PHONE.encode(), b"a" * 60_000) + PDF + TAIL
    answer = sending_client.http.post(f"{sending_client.url}/api/send", data=body, headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_form")


def test_a_key_stands_for_the_file_too(gateway: PretendGateway, sending_client: ApiClient) -> None:
    """The same caption with another picture is another message."""
    first = post(sending_client, "image", PNG, key="k")
    again = post(sending_client, "image", PNG, key="k", name="renamed.png")
    other = post(sending_client, "image", PNG + b"!", key="k")

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert len(gateway.state.delivered_messages()) == 1


def test_a_file_name_is_one_name(gateway: PretendGateway, sending_client: ApiClient, history: HistoryWriter) -> None:
    """A file name must not reveal folders, and a line break would end a header."""
    for name in ("../../etc/passwd.pdf", "C:\\secret\\a.pdf", "a\u202eb.pdf", "x" * 300 + ".pdf", ""):
        assert post(sending_client, "document", PDF, name or "  ").status_code == 200

    names = [name for (name,) in history.rows("SELECT file_name FROM sends ORDER BY timestamp")]
    assert names == ["passwd.pdf", "a.pdf", "ab.pdf", "x" * 120 + ".pdf", "document"]
    assert [one.attachment and one.attachment.name for one in gateway.state.delivered_messages()] == names
