"""Defines the reasons for noise and parked events: stable codes, with the sentences that the documentation quotes."""

from enum import StrEnum
from typing import Literal, Self


class Reason(StrEnum):
    """A stable code, with its kind of outcome and a sentence for people."""

    kind: Literal["noise", "parked"]
    description: str

    def __new__(cls, code: str, kind: Literal["noise", "parked"], sentence: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.kind = kind
        member.description = sentence
        return member

    # The body.
    EMPTY_BODY = "empty_body", "parked", "The request had no body."
    NOT_UTF8 = "not_utf8", "parked", "The body is not text in UTF-8."
    NOT_JSON = "not_json", "parked", "The body is text, but not JSON."
    NESTED_TOO_DEEPLY = "nested_too_deeply", "parked", "The JSON is nested more than 128 levels deep."
    UNKNOWN_SENDER = "unknown_sender", "parked", "This version has no parser for the kind of the event's sender."
    NOT_AN_OBJECT = "not_an_object", "parked", "The JSON is a list or a single value, not an object."

    # The envelope.
    FOREIGN_ENVELOPE = "foreign_envelope", "parked", "The envelope is another gateway's: `session` or `payload`."
    UNKNOWN_SHAPE = "unknown_shape", "parked", "The event's `data` is not an object."
    NO_EVENT = "no_event", "parked", "The event has no name: `event` is missing or not a string."
    UNKNOWN_EVENT = "unknown_event", "parked", "The event's name is unknown."
    NO_SESSION = "no_session", "parked", "The event names no session."

    # The content.
    NO_ADDRESS = "no_address", "parked", "The event names no chat."
    BAD_ADDRESS = "bad_address", "parked", "The chat's address is not a WhatsApp address."
    EMPTY_MESSAGE = "empty_message", "parked", "The message has neither an id nor any content."
    NO_MESSAGE_ID = "no_message_id", "parked", "The event concerns a message and has no message id."
    NO_STATUS = "no_status", "parked", "The event concerns a status and has none."
    UNKNOWN_STATUS = "unknown_status", "parked", "The status is unknown."
    EDIT_WITHOUT_TARGET = "edit_without_target", "parked", "The edit has new text and no id of the edited message."
    EDIT_WITHOUT_TEXT = "edit_without_text", "parked", "The edit has no new text."
    REACTION_UNREADABLE = "reaction_unreadable", "parked", "The reaction has no emoji or no message id."

    # Parts of WhatsApp's protocol that are never a row in a chat.
    KEY_DISTRIBUTION = "key_distribution", "noise", "A key for a group's encryption."
    CONTEXT_ONLY = "context_only", "noise", "Context without a message."
    PROTOCOL_MESSAGE = "protocol_message", "noise", "A delete, an edit or a setting without its details."
    EDIT_UNTOLD = "edit_untold", "noise", "An edit without the message or the new text."
    REACTION_UNTOLD = "reaction_untold", "noise", "A reaction without the message or the emoji."
    POLL_VOTE = "poll_vote", "noise", "A vote in a poll or an answer to an event; both are encrypted."
    PIN_OR_KEEP = "pin_or_keep", "noise", "A message was pinned or kept."
    ALBUM_HEADER = "album_header", "noise", "The header of an album, whose pictures follow as messages."
    DEVICE_HOUSEKEEPING = "device_housekeeping", "noise", "Synchronisation between a person's devices."

    # Reports of gateways about other things than messages.
    CALL = "call", "noise", "A call, which is no message in a chat."
    PRESENCE = "presence", "noise", "Somebody is online or typing."
    GROUP_CHANGE = "group_change", "noise", "The members or the settings of a group changed."
    LOCAL_DELETE = "local_delete", "noise", "A message was deleted on the session's own phone only."
    OWN_RECEIPT = "own_receipt", "noise", "A receipt that says nothing about the recipient."
    GATEWAY_NOTICE = "gateway_notice", "noise", "A notice of the gateway about itself, such as a label or a template."


class NoFactsError(Exception):
    """The event gives no facts, for `reason`: it is noise, or is parked. Every parser catches this error."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.description)
        self.reason = reason
