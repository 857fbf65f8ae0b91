"""Maps message types of gateways to those of the store: WhatsApp's protobuf fields, the guide's names, other names."""

from typing import Final

from store.model.facts import MessageType
from worker.senders.reasons import Reason

PROTOBUF_TEXT_TYPES: Final = frozenset({"conversation", "extendedTextMessage"})
PLAIN_TEXT_TYPES: Final = PROTOBUF_TEXT_TYPES | {"text", "chat"}
"""Types that consist only of text. A type that is named by the gateway and has no text is not decrypted yet."""

MESSAGE_TYPES: Final[dict[str, MessageType]] = {
    **dict.fromkeys(PLAIN_TEXT_TYPES, "text"),
    # Buttons and lists of businesses, and the replies to them: text with decoration.
    **dict.fromkeys(("templateMessage", "templateButtonReplyMessage", "highlyStructuredMessage", "template"), "text"),
    **dict.fromkeys(("buttonsMessage", "buttonsResponseMessage", "buttons_response", "listMessage"), "text"),
    **dict.fromkeys(("listResponseMessage", "list_response", "interactiveMessage", "interactive"), "text"),
    **dict.fromkeys(("interactiveResponseMessage", "commentMessage", "encCommentMessage"), "text"),
    **dict.fromkeys(("richResponseMessage", "statusQuotedMessage", "template_button_reply", "list", "hsm"), "text"),
    **dict.fromkeys(("native_flow", "interactive_response", "groups_v4_invite"), "text"),
    **dict.fromkeys(("groupInviteMessage", "newsletterAdminInviteMessage"), "text"),
    **dict.fromkeys(("newsletterFollowerInviteMessageV2", "button", "button_reply", "list_reply"), "text"),
    **dict.fromkeys(("questionReplyMessage", "questionResponseMessage", "statusQuestionAnswerMessage"), "text"),
    **dict.fromkeys(("imageMessage", "image"), "image"),
    **dict.fromkeys(("videoMessage", "video", "ptvMessage", "ptv", "gif"), "video"),
    **dict.fromkeys(("audioMessage", "audio", "ptt", "voice"), "audio"),
    **dict.fromkeys(("documentMessage", "documentWithCaptionMessage", "document", "file"), "document"),
    **dict.fromkeys(("stickerMessage", "lottieStickerMessage", "stickerPackMessage", "sticker"), "sticker"),
    **dict.fromkeys(("locationMessage", "liveLocationMessage", "location", "live_location"), "location"),
    **dict.fromkeys(("contactMessage", "contactsArrayMessage", "contact"), "contact"),
    **dict.fromkeys(("contacts", "vcard", "multi_vcard"), "contact"),
    **dict.fromkeys(("pollCreationMessage", "poll", "poll_creation"), "poll"),
    **dict.fromkeys(("pollResultSnapshotMessage", "pollResultSnapshotMessageV3"), "poll"),
    **dict.fromkeys(("pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV4"), "poll"),
    **dict.fromkeys(("pollCreationMessageV5", "pollCreationMessageV6", "pollAddOptionMessage"), "poll"),
    **dict.fromkeys(("orderMessage", "order"), "order"),
    **dict.fromkeys(("sendPaymentMessage", "requestPaymentMessage", "declinePaymentRequestMessage"), "payment"),
    **dict.fromkeys(("cancelPaymentRequestMessage", "paymentInviteMessage", "invoiceMessage", "payment"), "payment"),
    # Calls, and WhatsApp's own notices in a chat.
    **dict.fromkeys(("call", "call_log", "missed_call", "callLogMesssage", "callLogMessage", "bcallMessage"), "system"),
    **dict.fromkeys(("scheduledCallCreationMessage", "scheduledCallEditMessage"), "system"),
    **dict.fromkeys(("requestPhoneNumberMessage", "limitSharingMessage", "statusNotificationMessage"), "system"),
    **dict.fromkeys(("system", "notification", "notification_template", "e2e_notification", "gp2"), "system"),
    **dict.fromkeys(("group_notification", "broadcast_notification", "newsletter_notification"), "system"),
}

MEDIA_TYPES: Final = frozenset({"image", "video", "audio", "document", "sticker"})

VIEW_ONCE_TYPE: Final = "viewOnceMessage"
"""The type of messages to view once, including those that the gateway sends with a flag instead of a type."""

WRAPPER_TYPES: Final = frozenset(
    {
        *("ephemeralMessage", "deviceSentMessage", VIEW_ONCE_TYPE, "viewOnceMessageV2", "viewOnceMessageV2Extension"),
        *("documentWithCaptionMessage", "editedMessage", "lottieStickerMessage", "groupMentionedMessage"),
        *("botInvokeMessage", "botTaskMessage", "botForwardedMessage", "associatedChildMessage", "eventCoverImage"),
        *("groupStatusMessage", "groupStatusMessageV2", "spoilerMessage", "newsletterAdminProfileMessage"),
        *("newsletterAdminProfileMessageV2", "newsletterAdminProfileStatusMessage", "pollCreationOptionImageMessage"),
        *("statusAddYours", "pollCreationMessageV4", "pollCreationMessageV5"),
        *("questionMessage", "questionReplyMessage", "commentMessage"),
    }
)
"""Wrappers, which contain another message as `message`. Without it, only some of them determine the type."""
NOTICE_TYPES: Final = frozenset({"statusMentionMessage", "groupStatusMentionMessage", "limitSharingMessage"})
"""Notices, whose `message` belongs to WhatsApp's protocol and is not meant for readers."""

KEY_TYPES: Final = frozenset({"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage"})
"""Fields with a key that encrypts a member's messages in a group. They are often in front of the message itself."""
LEADING_TYPES: Final = KEY_TYPES | {"messageContextInfo"}
"""Fields that come with the actual message, often in front of it. As a type they do not describe what was sent."""

UNDECRYPTED_TYPES: Final = frozenset({"placeholderMessage", "ciphertext", "undecryptable"})
"""Types of messages whose content comes later."""

REACTION_TYPES: Final = frozenset({"reactionMessage", "reaction"})
PROTOCOL_TYPES: Final = frozenset({"protocolMessage", "protocol", "revoked"})
EDITED_TYPES: Final = frozenset({"editedMessage", "edited"})

NOISE_REASONS: Final[dict[str, Reason]] = {
    **dict.fromkeys(KEY_TYPES, Reason.KEY_DISTRIBUTION),
    "messageContextInfo": Reason.CONTEXT_ONLY,
    **dict.fromkeys(PROTOCOL_TYPES, Reason.PROTOCOL_MESSAGE),
    **dict.fromkeys(EDITED_TYPES, Reason.EDIT_UNTOLD),
    **dict.fromkeys(REACTION_TYPES, Reason.REACTION_UNTOLD),
    "groupRootKeyShare": Reason.KEY_DISTRIBUTION,
    "secretEncryptedMessage": Reason.EDIT_UNTOLD,
    "encReactionMessage": Reason.REACTION_UNTOLD,
    **dict.fromkeys(("pollUpdateMessage", "poll_vote", "encEventResponseMessage"), Reason.POLL_VOTE),
    **dict.fromkeys(("keepInChatMessage", "keep_in_chat"), Reason.PIN_OR_KEEP),
    **dict.fromkeys(("pinInChatMessage", "pinned_message"), Reason.PIN_OR_KEEP),
    **dict.fromkeys(("albumMessage", "album"), Reason.ALBUM_HEADER),
    **dict.fromkeys(("stickerSyncRmrMessage", "messageHistoryBundle"), Reason.DEVICE_HOUSEKEEPING),
    "messageHistoryNotice": Reason.DEVICE_HOUSEKEEPING,
}
"""The complete list of types that are not messages of their own, unless they have a text. Any other type is a message.
"""

_TYPE_BY_MIME: Final[dict[str, MessageType]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    **dict.fromkeys(("application", "text"), "document"),
}
_TYPE_BY_EXTENSION: Final[dict[str, MessageType]] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "webp", "heic", "gif"), "image"),
    **dict.fromkeys(("mp4", "3gp", "mov", "webm"), "video"),
    **dict.fromkeys(("ogg", "oga", "opus", "mp3", "m4a", "aac", "amr", "wav"), "audio"),
    **dict.fromkeys(("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "csv", "txt", "zip"), "document"),
}


def media_type(file: str) -> MessageType | None:
    """Return the message type of a file by its MIME type, name or link, or None if it is unknown."""
    if "://" not in file and (known := _TYPE_BY_MIME.get(file.partition("/")[0].lower())) is not None:
        return known
    path = file.partition("?")[0].partition("#")[0]
    return _TYPE_BY_EXTENSION.get(path.rpartition(".")[2].lower())
