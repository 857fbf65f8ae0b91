import hashlib
import io

import pytest

from api.gateway import errors
from api.gateway.client import SakClient
from api.gateway.media import MediaFile
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.support.waiting import wait_until

TO = "919811000009"
CONTENT = bytes(range(256)) * 4000
LARGEST_READ = 65536


class LargeFile(io.BytesIO):
    """A file that returns only a few bytes for each read."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size <= LARGEST_READ
        return super().read(size)


def test_a_file_arrives_whole_and_is_read_a_chunk_at_a_time(gateway: PretendGateway, client: SakClient) -> None:
    """A video of a hundred megabytes must not be held in memory for each sender."""
    video = MediaFile("video", LargeFile(CONTENT), 'दुकान "1".mp4', "video/mp4", len(CONTENT))
    sent = client.send_media(TO, video, "देखिए 🎥")
    (reached,) = gateway.state.delivered_messages()

    assert sent.message_id == reached.message_id
    assert (reached.type, reached.to, reached.text) == ("video", TO, "देखिए 🎥")
    assert reached.attachment is not None
    assert reached.attachment.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert reached.attachment.mime_type == "video/mp4"
    assert reached.attachment.name.startswith("दुकान ")


def test_a_limited_upload_starts_again_from_where_the_file_stood(gateway: PretendGateway, client: SakClient) -> None:
    """The first attempt has read the file.

    A second attempt that continues from there would send nothing, or half of it.
    """
    gateway.misbehave(Misbehaviour("answer", status=429, headers={"Retry-After": "0"}))
    file = io.BytesIO(b"skipped" + CONTENT)
    file.seek(len(b"skipped"))
    client.send_media(TO, MediaFile("image", file, "a.png", "image/png", len(CONTENT)))
    (reached,) = gateway.state.delivered_messages()

    assert gateway.call_count("POST /messages/send-image") == 2
    assert reached.attachment is not None
    assert reached.attachment.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_ends_early_is_never_sent(gateway: PretendGateway, client: SakClient) -> None:
    """If a browser disconnects during an upload, no truncated picture must appear in the chat."""
    with pytest.raises(errors.IncompleteFileError):
        client.send_media(TO, MediaFile("image", LargeFile(CONTENT), "a", "image/png", len(CONTENT) + 1))
    # The gateway notices the call in its own thread, and would otherwise count it in the next test.
    wait_until(lambda: gateway.call_count("POST /messages/send-image") == 1)

    assert gateway.state.delivered_messages() == []


def test_a_media_type_cannot_smuggle_a_header(gateway: PretendGateway, client: SakClient) -> None:
    """The media type comes from outside and is written into the form unchanged."""
    with pytest.raises(ValueError, match="media type"):
        client.send_media(TO, MediaFile("image", io.BytesIO(b"x"), "a", "image/png\r\nX-Evil: 1", 1))

    assert gateway.call_count("POST /messages/send-image") == 0
