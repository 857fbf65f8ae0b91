"""Tests OpenWA's events beyond the recorded ones: long ids, LIDs and the states of a session."""

import json

import pytest

from store.model.facts import Delete, DisplayName, Edit, Fact, LidAlias, Message, Reaction, SessionReport
from worker.senders.openwa import parser

TEXT: dict[str, object] = {
    "id": "3A01",
    "from": "919811000011@c.us",
    "chatId": "919811000011@c.us",
    "type": "text",
    "body": "Hi",
}


def facts(event: str, data: dict[str, object]) -> tuple[Fact, ...]:
    envelope = {"event": event, "sessionId": "s", "timestamp": "2026-09-10T00:26:50Z", "data": data}
    return parser.parse(json.dumps(envelope).encode()).outcome.facts


def test_a_long_id_is_reduced_to_whatsapp_s_own() -> None:
    """One of OpenWA's engines includes the chat in the id, but edits and other gateways use the plain id."""
    [message] = facts("message.received", {**TEXT, "id": "false_919811000011@c.us_3A01"})
    [deleted] = facts("message.revoked", {**TEXT, "id": "true_x_3A99", "revokedId": "false_919811000011@c.us_3A01"})
    [ack] = facts("message.ack", {"messageId": "true_919811000011@c.us_3A01", "status": "read"})

    assert isinstance(message, Message)
    assert isinstance(deleted, Delete)
    assert message.message_id == deleted.message_id == "3A01"
    assert (ack.message_id, ack.address) == ("3A01", "919811000011")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_a_lid_has_its_phone_and_its_saved_name_beside() -> None:
    """Without the alias, one person would have two chats."""
    lid = "200000000000011@lid"
    contact = {"pushName": "Asha", "name": "Asha Rao", "isMyContact": True}

    _, *evidence = facts(
        "message.received",
        {
            **TEXT,
            "from": lid,
            "chatId": lid,
            "senderPhone": "919811000011",
            "contact": contact,
            "timestamp": 1789000010,
        },
    )

    time = 1789000010000
    assert evidence == [
        LidAlias(lid, "919811000011", time),
        DisplayName(lid, "Asha", 1, time),
        DisplayName(lid, "Asha Rao", 2, time),
    ]


@pytest.mark.parametrize(
    ("chat", "reactor", "direction", "sender"),
    [
        ("919811000011@c.us", "919811000011@c.us", "incoming", None),
        ("919811000011@c.us", "919880000001@c.us", "outgoing", None),
        # A reader that knows our number recognises our reactions by it.
        ("919811000011@c.us", "200000000000011@lid", "incoming", "200000000000011@lid"),
        ("200000000000011@lid", "919880000001@c.us", "incoming", "919880000001"),
        ("120363040000000021@g.us", "919811000011@c.us", "incoming", "919811000011"),
    ],
)
def test_the_reactor_tells_the_direction_of_a_reaction(
    chat: str, reactor: str, direction: str, sender: str | None
) -> None:
    """The event has no flag for it."""
    [reaction] = facts("message.reaction", {"messageId": "3A01", "chatId": chat, "reaction": "👍", "senderId": reactor})

    assert isinstance(reaction, Reaction)
    assert (reaction.direction, reaction.sender) == (direction, sender)


@pytest.mark.parametrize(
    ("event", "data", "state"),
    [
        ("session.status", {"status": "qr_ready"}, "connecting"),
        ("session.status", {"status": "failed"}, "disconnected"),
        ("session.qr", {"qr": "2@abc"}, "connecting"),
        ("session.disconnected", {"reason": "logged out"}, "logged_out"),
        ("session.disconnected", {"reason": "Connection lost"}, "disconnected"),
        ("session.reconnect_loop", {"attempts": 5}, "disconnected"),
    ],
)
def test_a_session_reports_its_state(event: str, data: dict[str, object], state: str) -> None:
    """Outages begin and end with it."""
    [report] = facts(event, data)

    assert isinstance(report, SessionReport)
    assert report.state == state


def test_a_message_that_was_deleted_before_it_came_is_a_deletion() -> None:
    """The message has neither content nor sender to show."""
    [deleted] = facts("message.received", {**TEXT, "type": "revoked", "body": ""})

    assert isinstance(deleted, Delete)


@pytest.mark.parametrize(
    ("data", "direction"),
    [
        ({}, None),
        ({"fromMe": True}, "outgoing"),
        ({"revokedId": "true_919811000011@c.us_3A01"}, "outgoing"),
        ({"from": "919880000001@c.us", "to": "919811000011@c.us"}, "outgoing"),
        ({"from": "919811000011@c.us", "to": "919880000001@c.us"}, "incoming"),
    ],
)
def test_a_deletion_is_by_whoever_the_event_names(data: dict[str, object], direction: str | None) -> None:
    """If it names nobody, it may be of either side, because only the author can delete for both."""
    [deleted] = facts("message.revoked", {"id": "3A01", "chatId": "919811000011@c.us", **data})

    assert isinstance(deleted, Delete)
    assert (deleted.message_id, deleted.direction) == ("3A01", direction)


def test_several_contacts_are_all_told() -> None:
    """Their cards follow each other in one text."""
    cards = "\n".join(f"BEGIN:VCARD\nFN:{name}\nEND:VCARD" for name in ("Asha", "Ravi"))

    [message] = facts("message.received", {**TEXT, "type": "contact", "body": cards})

    assert isinstance(message, Message)
    assert message.text == "Asha\nRavi"


def test_a_status_update_stands_among_those_of_all_contacts() -> None:
    """The event is opt-in, and contains the time of the post."""
    status: dict[str, object] = {"id": "3A01", "from": "919811000011@c.us", "type": "text", "body": "Open!"}

    [message] = facts("status.received", {**status, "postedAt": 1789000010500})

    assert isinstance(message, Message)
    assert (message.address, message.sender, message.time) == ("status@broadcast", "919811000011", 1789000010500)


def test_a_removed_caption_is_an_edit() -> None:
    [edit] = facts("message.edited", {**TEXT, "messageId": "3A01", "type": "image", "body": ""})

    assert isinstance(edit, Edit)
    assert edit.text == ""
