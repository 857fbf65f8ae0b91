"""Defines the words of exports in each language of the dashboard."""

from collections.abc import Mapping

from store.reading.session_names import SessionName

LANGUAGES = ("en", "hi")

_WORDS: Mapping[str, tuple[str, str]] = {
    # The columns of a table.
    "time": ("Time", "समय"),
    "chat": ("Chat", "चैट"),
    "number": ("Number", "नंबर"),
    "from": ("From", "प्रेषक"),
    "direction": ("Direction", "दिशा"),
    "type": ("Type", "प्रकार"),
    "text": ("Text", "टेक्स्ट"),
    "file": ("File", "फ़ाइल"),
    "status": ("Status", "स्थिति"),
    "session": ("Session", "सत्र"),
    "labels": ("Labels", "लेबल"),
    "message": ("Message", "संदेश"),
    # The words around the messages.
    "about": ("About", "विवरण"),
    "conversation": ("Conversation", "बातचीत"),
    "exported_on": ("Exported on", "निर्यात"),
    "messages": ("Messages", "संदेश"),
    "note": ("Note", "नोट"),
    "notes": ("Notes", "नोट"),
    "author": ("Author", "लेखक"),
    "owner": ("Owner", "मालिक"),
    "period": ("Period", "अवधि"),
    "period_value": ("{first} to {last}", "{first} से {last} तक"),
    "beginning": ("the beginning", "शुरू"),
    "now": ("now", "अब"),
    "times": ("Times", "समय क्षेत्र"),
    # Properties of a message.
    "incoming": ("received", "मिला"),
    "outgoing": ("sent", "भेजा"),
    "deleted": ("deleted", "हटाया गया"),
    "status_pending": ("being sent", "भेजा जा रहा है"),
    "status_queued": ("queued", "कतार में"),
    "status_sent": ("sent", "भेजा गया"),
    "status_delivered": ("delivered", "पहुँचा"),
    "status_read": ("read", "पढ़ा गया"),
    "status_played": ("played", "सुना गया"),
    "status_failed": ("not sent", "नहीं भेजा गया"),
    "status_unknown": ("not known whether it was sent", "पता नहीं भेजा गया या नहीं"),
    "type_image": ("Photo", "फ़ोटो"),
    "type_video": ("Video", "वीडियो"),
    "type_audio": ("Voice or audio", "आवाज़ या ऑडियो"),
    "type_document": ("Document", "दस्तावेज़"),
    "type_sticker": ("Sticker", "स्टिकर"),
    "type_location": ("Location", "स्थान"),
    "type_contact": ("Contact", "संपर्क"),
    "type_poll": ("Poll", "पोल"),
    "type_order": ("Order", "ऑर्डर"),
    "type_payment": ("Payment", "भुगतान"),
    "type_system": ("Notice", "सूचना"),
    "type_text": ("Text", "टेक्स्ट"),
    "type_unknown": ("Something else", "कुछ और"),
    # Names of sessions and chats without a name.
    "session_number": ("Session {number}", "सत्र {number}"),
    "status_updates": ("Status updates", "स्टेटस अपडेट"),
    "lid": ("Private identity …{end}", "निजी पहचान …{end}"),
    "group": ("Group …{end}", "समूह …{end}"),
    "channel": ("Channel …{end}", "चैनल …{end}"),
}
_KINDS = {"lid": "lid", "g.us": "group", "newsletter": "channel"}


def word(language: str, name: str, default: str = "", **values: object) -> str:
    """Return the word for a name, or `default` if there is none."""
    texts = _WORDS.get(name)
    return default if texts is None else texts[LANGUAGES.index(language)].format(**values)


def session_name(language: str, session_id: str, names: Mapping[str, SessionName]) -> str:
    """Return the name of a session as the dashboard shows it."""
    known = names.get(session_id)
    if known is None:
        return session_id
    # Sessions of SAK have hexadecimal ids, those of other gateways words.
    spoken = session_id if ":" in session_id else known.gateway_name
    return known.given or known.phone or spoken or word(language, "session_number", number=known.number)


def spell_address(language: str, address: str) -> str:
    """Return an address as people write it: digits, or the kind of an identity without a number."""
    user, _, server = address.partition("@")
    if address == "status@broadcast":
        return word(language, "status_updates")
    return word(language, _KINDS.get(server, ""), address, end=user[-4:])
