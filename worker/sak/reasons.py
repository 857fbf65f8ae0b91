"""Why an event became noise or was parked: the codes are stable, their sentences are what the documentation quotes."""

from enum import StrEnum
from typing import Literal, Self


class Reason(StrEnum):
    """A stable code, with the kind of outcome it belongs to and a sentence for people."""

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
    NESTED_TOO_DEEPLY = "nested_too_deeply", "parked", "The JSON is nested more deeply than any event of a gateway is."
    NOT_AN_OBJECT = "not_an_object", "parked", "The JSON is a list or a single value, not an object."

    # The envelope.
    FOREIGN_ENVELOPE = "foreign_envelope", "parked", "The envelope is another gateway's: `session` or `payload`."
    UNKNOWN_SHAPE = "unknown_shape", "parked", "What the event tells is in `data`, which is not an object."
    NO_EVENT = "no_event", "parked", "The event does not say what it is: `event` is missing or not a word."
    UNKNOWN_EVENT = "unknown_event", "parked", "The event has a name that we do not know."
    NO_SESSION = "no_session", "parked", "The event does not say which session it belongs to."

    # What it tells.
    NO_ADDRESS = "no_address", "parked", "The event does not say which chat it belongs to."
    BAD_ADDRESS = "bad_address", "parked", "The chat's address is none that WhatsApp has."
    EMPTY_MESSAGE = "empty_message", "parked", "The message has neither an id nor any content."
    NO_MESSAGE_ID = "no_message_id", "parked", "The event is about a message and does not say which."
    NO_STATUS = "no_status", "parked", "The event is about a status and does not say which."
    UNKNOWN_STATUS = "unknown_status", "parked", "The status is a word or a number that we do not know."
    EDIT_WITHOUT_TARGET = (
        "edit_without_target",
        "parked",
        "There is new text, but not the id of the message it changes.",
    )
    EDIT_WITHOUT_TEXT = "edit_without_text", "parked", "A message was edited, and the new text is not told."
    REACTION_UNREADABLE = "reaction_unreadable", "parked", "A reaction event lacks its emoji or its message's id."

    # What WhatsApp's own machinery says to itself; never a row in a chat.
    KEY_DISTRIBUTION = "key_distribution", "noise", "A key for a group's encryption."
    CONTEXT_ONLY = "context_only", "noise", "Context without a message."
    PROTOCOL_MESSAGE = (
        "protocol_message",
        "noise",
        "A delete, an edit or a setting, and the gateway does not say of what.",
    )
    EDIT_UNTOLD = "edit_untold", "noise", "Something was edited, and the gateway says neither what nor how."
    REACTION_UNTOLD = "reaction_untold", "noise", "Somebody reacted, and the gateway says not to what, or not how."
    POLL_VOTE = "poll_vote", "noise", "Somebody voted in a poll; votes are encrypted."
    PIN_OR_KEEP = "pin_or_keep", "noise", "A message was pinned or kept."
    ALBUM_HEADER = "album_header", "noise", "Pictures follow, each as a message of its own."
    DEVICE_HOUSEKEEPING = "device_housekeeping", "noise", "Devices keep each other up to date."


class UnreadableEventError(Exception):
    """The event cannot become facts; the reason says why. It never leaves the parser."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.description)
        self.reason = reason
