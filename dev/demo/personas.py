"""Defines the fictitious people of the demo and their sentences."""

from dataclasses import dataclass

GROUP_JID = "120363041234567890@g.us"
PRIVATE_LID = "200000000000011@lid"
LID_PHONE = "919811000003"


@dataclass(frozen=True, slots=True)
class Persona:
    jid: str
    name: str | None
    lines: tuple[str, ...]
    media_types: tuple[str, ...] = ()
    """The kinds of files this person sends."""
    weight: int = 2
    """The frequency of the person's messages, relative to others."""


ASHA = Persona(
    "919811000001@s.whatsapp.net",
    "Asha",
    (
        "Hi, do you have this in stock?",
        "कीमत क्या है? 😀",
        "क्या आप कल तक भेज सकते हैं?",
        "And in blue, size M?",
        "ठीक है, मैं दो पीस लूँगी 🙏",
        "कृपया बिल भी भेज दीजिए",
        "Did the courier pick it up?",
    ),
    media_types=("imageMessage", "audioMessage"),
    weight=4,
)
RAVI = Persona(
    "919811000002@s.whatsapp.net",
    "Ravi Traders",
    (
        "Purchase order attached, please confirm.",
        "Need 40 boxes by Friday.",
        "Invoice received, payment tomorrow.",
        "The last lot had 3 broken pieces 😕",
        "What is your best price for 100?",
    ),
    media_types=("documentMessage", "imageMessage", "documentWithCaptionMessage"),
    weight=3,
)
KARIM = Persona(
    "919811000006@s.whatsapp.net",
    "كريم",
    (
        "السلام عليكم، هل الطلب جاهز؟",
        "كم سعر الشحن إلى دبي؟",
        "شكرًا جزيلاً 🌹",
        "أحتاج فاتورة باسم الشركة من فضلك",
        "متى يصل الطلب رقم 42؟",
    ),
    media_types=("videoMessage", "imageMessage"),
    weight=3,
)
ZOYA = Persona(
    "919811000004@s.whatsapp.net",
    "Zoya",
    (
        "👋",
        "Is the shop open on Sunday?",
        "🎂🎉 for my sister, can you wrap it?",
        "मेरा ऑर्डर कहाँ है?",
        "Perfect, thanks! ❤️",
    ),
    media_types=("stickerMessage", "locationMessage"),
)
DEVICE = Persona(
    "919811000005:22@s.whatsapp.net", "Device", ("from a linked device", "Sent from my laptop 💻"), weight=1
)
TEAM = Persona(GROUP_JID, "Asha", ("hello group", "Meeting at 5?", "👍", "कल की डिलीवरी की सूची भेज दी है"), weight=2)
PRIVATE_SENDER = Persona(
    PRIVATE_LID, "M.", ("from a private identity", "Do you deliver to Pune?", "Can I pay on delivery?")
)
REVEALED_SENDER = Persona(
    f"{LID_PHONE}@s.whatsapp.net",
    "M.",
    ("same person, phone now known", "Great, I will take it.", "Please call before you come 📞"),
)

PERSONAS = (ASHA, RAVI, KARIM, ZOYA, DEVICE, TEAM)
REPLIES = (
    "Thank you! 🙏",
    "ठीक है, धन्यवाद",
    "Great, see you then 👍",
    "شكرًا",
    "One more question: do you ship on weekends?",
    "Okay",
    "😀",
    "बहुत बढ़िया!",
)
"""Replies to messages that people receive."""
