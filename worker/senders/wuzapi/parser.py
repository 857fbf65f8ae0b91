"""Parses one event of wuzapi."""

from functools import partial
from typing import Final

from worker.senders import events
from worker.senders.events import EventFormat
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.wuzapi import forms, messages, sessions


def _session(fields: JsonObject) -> str | None:
    return text.identifier(fields.get("instanceName")) or text.identifier(fields.get("userID"))


def _is_self_identifying(fields: JsonObject) -> bool:
    """Return whether the body contains a message's id or a time."""
    event = json_document.object_at(fields, "event")
    info = json_document.object_at(event, "Info")
    return bool(info.get("ID") or event.get("MessageIDs") or event.get("Timestamp") or event.get("CallID"))


_LOGGED_OUT: Final = partial(sessions.report_state, state="logged_out")
_DISCONNECTED: Final = partial(sessions.report_state, state="disconnected")
_FORMAT: Final = EventFormat(
    session=_session,
    name_key="type",
    data_key="event",
    readers={
        "Message": messages.read,
        "UndecryptableMessage": messages.read_undecrypted,
        **dict.fromkeys(("ReadReceipt", "Receipt"), messages.read_receipt),
        "HistorySync": messages.read_history,
        **dict.fromkeys(("Connected", "PairSuccess"), partial(sessions.report_state, state="connected")),
        **dict.fromkeys(("QR", "PairError"), partial(sessions.report_state, state="connecting")),
        **dict.fromkeys(("LoggedOut", "Logged Out"), _LOGGED_OUT),
        **dict.fromkeys(("Disconnected", "ConnectFailure", "StreamReplaced", "TemporaryBan"), _DISCONNECTED),
        **dict.fromkeys(("QRTimeout", "ClientOutdated", "StreamError"), _DISCONNECTED),
    },
    noise={
        **dict.fromkeys(("Presence", "ChatPresence"), Reason.PRESENCE),
        **dict.fromkeys(
            ("CallOffer", "CallAccept", "CallTerminate", "CallOfferNotice", "CallRelayLatency"), Reason.CALL
        ),
        **dict.fromkeys(("CallPreAccept", "CallTransport", "CallReject", "UnknownCallEvent"), Reason.CALL),
        **dict.fromkeys(("GroupInfo", "JoinedGroup"), Reason.GROUP_CHANGE),
        **dict.fromkeys(("AppState", "AppStateSyncComplete", "OfflineSyncCompleted"), Reason.DEVICE_HOUSEKEEPING),
        **dict.fromkeys(("OfflineSyncPreview", "KeepAliveTimeout", "KeepAliveRestored"), Reason.DEVICE_HOUSEKEEPING),
        **dict.fromkeys(("Picture", "LabelEdit", "LabelAssociationChat", "PushNameSetting"), Reason.GATEWAY_NOTICE),
        **dict.fromkeys(("LabelAssociationMessage", "IdentityChange", "Blocklist"), Reason.GATEWAY_NOTICE),
        **dict.fromkeys(("NewsletterJoin", "NewsletterLeave", "NewsletterLiveUpdate"), Reason.GATEWAY_NOTICE),
        **dict.fromkeys(("NewsletterMuteChange", "BlocklistChange", "PrivacySettings"), Reason.GATEWAY_NOTICE),
        **dict.fromkeys(("UserAbout", "QRScannedWithoutMultidevice", "CATRefreshError"), Reason.GATEWAY_NOTICE),
        "MediaRetry": Reason.DEVICE_HOUSEKEEPING,
    },
    is_self_identifying=_is_self_identifying,
    decode=forms.decode,
)


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    return events.parse(body, _FORMAT)
