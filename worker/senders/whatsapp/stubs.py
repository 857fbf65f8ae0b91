"""Reads WhatsApp's stubs, which replace messages: notices, missed calls, and messages that are not decrypted."""

from typing import Final

from worker.senders.whatsapp import json_document, text

KEYS: Final = ("messageStubType", "message_stub_type")
PARAMETER_KEYS: Final = ("messageStubParameters", "message_stub_parameters")

_GROUP_STUBS = (
    *("GROUP_CREATE", "GROUP_CHANGE_SUBJECT", "GROUP_CHANGE_ICON", "GROUP_CHANGE_INVITE_LINK"),
    *("GROUP_CHANGE_DESCRIPTION", "GROUP_CHANGE_RESTRICT", "GROUP_CHANGE_ANNOUNCE"),
    *("GROUP_PARTICIPANT_ADD", "GROUP_PARTICIPANT_REMOVE", "GROUP_PARTICIPANT_PROMOTE", "GROUP_PARTICIPANT_DEMOTE"),
    *("GROUP_PARTICIPANT_INVITE", "GROUP_PARTICIPANT_LEAVE", "GROUP_PARTICIPANT_CHANGE_NUMBER"),
)
_PERSON_STUBS = (
    *("GENERIC_NOTIFICATION", "E2E_IDENTITY_CHANGED", "E2E_ENCRYPTED", "CALL_MISSED_VOICE", "CALL_MISSED_VIDEO"),
    *("INDIVIDUAL_CHANGE_NUMBER", "GROUP_DELETE"),
)
_NAME_BY_NUMBER: Final[dict[int, str]] = {
    **dict(enumerate(("REVOKE", "CIPHERTEXT", "FUTUREPROOF"), 1)),
    **dict(enumerate(_GROUP_STUBS, 20)),
    **dict(enumerate(_PERSON_STUBS, 37)),
    **dict(enumerate(("CALL_MISSED_GROUP_VOICE", "CALL_MISSED_GROUP_VIDEO"), 45)),
    64: "BIZ_NAME_CHANGE",
}
"""The frequent stubs. Others are named by their number."""
UNDECRYPTED: Final = frozenset({"CIPHERTEXT", "FUTUREPROOF"})
REVOKED: Final = "REVOKE"
"""The stub of a message that was deleted for everyone. It has the id of that message."""
_WITH_WORDS: Final = frozenset({"GROUP_CREATE", "GROUP_CHANGE_SUBJECT", "GROUP_CHANGE_DESCRIPTION", "BIZ_NAME_CHANGE"})
"""Stubs whose first parameter is text. In others it is an address or a flag."""


def name(value: object) -> str | None:
    """Return the name of a stub given by its name or number, or None if the value names none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    if isinstance(value, int) and not isinstance(value, bool):
        return _NAME_BY_NUMBER.get(value, f"stub {value}") if value > 0 else None
    known = text.label(value)
    return None if known is None or known.upper() == "UNKNOWN" else known.upper()


def words(stub: str, parameters: object) -> str | None:
    """Return the text of a notice, such as a group's new subject."""
    if stub not in _WITH_WORDS:
        return None
    values = json_document.as_list(parameters) or [None]
    return text.message_text(values[0])
