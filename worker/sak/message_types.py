"""The gateway's words for what a message is: names of WhatsApp's protobuf fields, the guide's words, and siblings'."""

from typing import Final

from store.model.facts import MessageType
from worker.sak.reasons import Reason

PLAIN_TEXT_TYPES: Final = frozenset({"conversation", "extendedTextMessage", "text", "chat"})
"""Types that are nothing but their text: one that comes without has not been decrypted."""

MESSAGE_TYPES: Final[dict[str, MessageType]] = {
    **dict.fromkeys(PLAIN_TEXT_TYPES, "text"),
    # What businesses send to be tapped on, and what tapping sends back: text with decoration.
    **dict.fromkeys(("templateMessage", "templateButtonReplyMessage", "highlyStructuredMessage", "template"), "text"),
    **dict.fromkeys(("buttonsMessage", "buttonsResponseMessage", "buttons_response", "listMessage"), "text"),
    **dict.fromkeys(("listResponseMessage", "list_response", "interactiveMessage", "interactive"), "text"),
    **dict.fromkeys(("interactiveResponseMessage", "commentMessage", "richResponseMessage"), "text"),
    **dict.fromkeys(("groupInviteMessage", "newsletterAdminInviteMessage"), "text"),
    **dict.fromkeys(("imageMessage", "image"), "image"),
    **dict.fromkeys(("videoMessage", "video", "ptvMessage", "ptv", "gif"), "video"),
    **dict.fromkeys(("audioMessage", "audio", "ptt", "voice"), "audio"),
    **dict.fromkeys(("documentMessage", "documentWithCaptionMessage", "document", "file"), "document"),
    **dict.fromkeys(("stickerMessage", "lottieStickerMessage", "stickerPackMessage", "sticker"), "sticker"),
    **dict.fromkeys(("locationMessage", "liveLocationMessage", "location", "live_location"), "location"),
    **dict.fromkeys(
        ("contactMessage", "contactsArrayMessage", "contact", "contacts", "vcard", "multi_vcard"), "contact"
    ),
    **dict.fromkeys(("pollCreationMessage", "poll", "poll_creation", "pollResultSnapshotMessage"), "poll"),
    **dict.fromkeys(("pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV4"), "poll"),
    **dict.fromkeys(("pollCreationMessageV5", "pollCreationMessageV6"), "poll"),
    **dict.fromkeys(("orderMessage", "order"), "order"),
    # Calls, and what WhatsApp itself says in a chat.
    **dict.fromkeys(("call", "call_log", "callLogMesssage", "callLogMessage", "bcallMessage"), "system"),
    **dict.fromkeys(("scheduledCallCreationMessage", "requestPhoneNumberMessage", "system"), "system"),
    **dict.fromkeys(("notification", "notification_template", "e2e_notification", "gp2"), "system"),
}

MEDIA_TYPES: Final = frozenset({"image", "video", "audio", "document", "sticker"})

WRAPPER_TYPES: Final = frozenset(
    {
        *(
            "ephemeralMessage",
            "deviceSentMessage",
            "viewOnceMessage",
            "viewOnceMessageV2",
            "viewOnceMessageV2Extension",
        ),
        *("documentWithCaptionMessage", "editedMessage", "lottieStickerMessage", "groupMentionedMessage"),
        *("botInvokeMessage", "associatedChildMessage", "groupStatusMessage", "groupStatusMessageV2"),
        *("statusMentionMessage", "groupStatusMentionMessage", "statusAddYours", "pollCreationMessageV4"),
    }
)
"""Envelopes around another message, which they hold as `message`. Where that is not told, only some say what it is."""

UNDECRYPTED_TYPES: Final = frozenset({"placeholderMessage", "ciphertext", "undecryptable"})
"""Types that say themselves that the content is still to come."""

REACTION_TYPES: Final = frozenset({"reactionMessage", "reaction"})
PROTOCOL_TYPES: Final = frozenset({"protocolMessage", "protocol", "revoked"})
EDITED_TYPES: Final = frozenset({"editedMessage", "edited"})

NOISE_REASONS: Final[dict[str, Reason]] = {
    "senderKeyDistributionMessage": Reason.KEY_DISTRIBUTION,
    "fastRatchetKeySenderKeyDistributionMessage": Reason.KEY_DISTRIBUTION,
    "messageContextInfo": Reason.CONTEXT_ONLY,
    **dict.fromkeys(PROTOCOL_TYPES, Reason.PROTOCOL_MESSAGE),
    **dict.fromkeys(EDITED_TYPES, Reason.EDIT_UNTOLD),
    **dict.fromkeys(REACTION_TYPES, Reason.REACTION_UNTOLD),
    "encReactionMessage": Reason.REACTION_UNTOLD,
    "pollUpdateMessage": Reason.POLL_VOTE,
    **dict.fromkeys(("keepInChatMessage", "pinInChatMessage"), Reason.PIN_OR_KEEP),
    "albumMessage": Reason.ALBUM_HEADER,
    **dict.fromkeys(
        ("stickerSyncRmrMessage", "messageHistoryBundle", "messageHistoryNotice"), Reason.DEVICE_HOUSEKEEPING
    ),
    **dict.fromkeys(("secretEncryptedMessage", "encEventResponseMessage"), Reason.DEVICE_HOUSEKEEPING),
    **dict.fromkeys(("encCommentMessage", "scheduledCallEditMessage"), Reason.DEVICE_HOUSEKEEPING),
}
"""Types that are no message of their own. A key or a context can come first in a message that also has a text, and SAK
names only what comes first: with a text they are messages all the same."""

_TYPE_BY_MIME: Final[dict[str, MessageType]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "application": "document",
    "text": "document",
}
_TYPE_BY_EXTENSION: Final[dict[str, MessageType]] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "webp", "heic", "gif"), "image"),
    **dict.fromkeys(("mp4", "3gp", "mov", "webm"), "video"),
    **dict.fromkeys(("ogg", "oga", "opus", "mp3", "m4a", "aac", "amr", "wav"), "audio"),
    **dict.fromkeys(("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "csv", "txt", "zip"), "document"),
}


def media_type(file: str) -> MessageType | None:
    """What a file is, by its MIME type, its name or its link; None if that does not tell."""
    if "://" not in file and (known := _TYPE_BY_MIME.get(file.partition("/")[0].lower())) is not None:
        return known
    path = file.partition("?")[0].partition("#")[0]
    return _TYPE_BY_EXTENSION.get(path.rpartition(".")[2].lower())
