"""Tests protobuf messages that change another message, in which omitted fields have a meaning, too."""

import pytest

from worker.senders.reasons import NoFactsError
from worker.senders.whatsapp import update_content
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.update_content import UpdateContent

KEY = {"id": "3A01", "remoteJid": "919811000011@s.whatsapp.net"}


@pytest.mark.parametrize("text", [{"text": ""}, {"text": None}, {}])
def test_a_reaction_without_an_emoji_is_removed(text: JsonObject) -> None:
    """The protobuf omits an empty text."""
    assert update_content.read_reaction({"key": KEY, **text}) == UpdateContent("react", "3A01", "")


@pytest.mark.parametrize(
    "file",
    [
        {"imageMessage": {"mimetype": "image/jpeg"}},
        {"documentWithCaptionMessage": {"message": {"documentMessage": {"fileName": "a.pdf"}}}},
    ],
)
def test_an_edit_of_a_file_without_a_caption_removes_the_caption(file: JsonObject) -> None:
    """The customer removed the words, so they must not stay."""
    edit = {"key": KEY, "type": 14, "editedMessage": file}

    assert update_content.read_protocol(edit) == UpdateContent("edit", "3A01", "")


def test_a_revocation_may_omit_its_type() -> None:
    """The omitted type is the protobuf's default."""
    assert update_content.read_protocol({"key": KEY}) == UpdateContent("delete", "3A01", "")


@pytest.mark.parametrize(
    "setting",
    [
        {"type": 3, "ephemeralExpiration": 86400},
        {"key": KEY, "ephemeralExpiration": 86400},
        {"key": KEY, "type": 14, "editedMessage": {"conversation": ""}},
    ],
)
def test_a_setting_changes_no_message(setting: JsonObject) -> None:
    with pytest.raises(NoFactsError):
        update_content.read_protocol(setting)
