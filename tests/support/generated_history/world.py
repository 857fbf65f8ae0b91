"""Defines the small world of the generated histories. It has few people, chats, ids and times, so that they collide."""

import json
from datetime import UTC, datetime
from typing import Final

SESSIONS: Final = ("11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-000000000000")

ASHA: Final = "919811000001"
RAVI: Final = "919811000002"
MEENA: Final = "919811000003"
LID_OF_ASHA: Final = "200000000000011@lid"
LID_OF_RAVI: Final = "200000000000012@lid"
GROUP: Final = "120363041234567890@g.us"
NEWSLETTER: Final = "120363999999@newsletter"
STATUS_BROADCAST: Final = "status@broadcast"

CHATS: Final = (ASHA, GROUP, RAVI, LID_OF_ASHA, LID_OF_RAVI, MEENA, NEWSLETTER, STATUS_BROADCAST)
HOME_CHATS: Final = (ASHA, GROUP, RAVI, LID_OF_ASHA, MEENA, LID_OF_RAVI, ASHA, NEWSLETTER)
"""The chat in which each message id is mostly used, by its number. The first three are three chats."""
OTHER_ADDRESSES: Final = {ASHA: LID_OF_ASHA, LID_OF_ASHA: ASHA, RAVI: LID_OF_RAVI, LID_OF_RAVI: RAVI}
"""The other address of each person, according to most of the evidence."""
PEOPLE: Final = (ASHA, RAVI, LID_OF_ASHA, MEENA, LID_OF_RAVI)
NAMES: Final = ("Asha", "रवि", "M.", "Asha 😀")

BASE_TIME: Final = 1_734_621_000_000
"""The time around which events happen and are received, in ms."""
SECOND: Final = 1_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR

JsonFields = dict[str, object]


def spell_jid(address: str, spelling: int = 0) -> str:
    """Return an address as a gateway spells it. Spelling 0 is SAK's."""
    if "@" in address:
        user, _, server = address.partition("@")
        return f"{user}:{spelling % 4}@{server}" if spelling % 3 == 1 and server == "lid" else address
    return (f"{address}@s.whatsapp.net", f"{address}:22@s.whatsapp.net", f"{address}@c.us")[spelling % 3]


def encode_event(fields: JsonFields) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def event_time(choice: int, received_at: int) -> int | None:
    """Return the time of an event in ms: mostly near BASE_TIME with ties, sometimes from a wrong clock."""
    near = BASE_TIME + choice % 25 * 7 * SECOND
    for below, time in (
        (200, near),
        (208, None),
        (214, 5 * SECOND),  # 1970
        (220, 32_503_680_000_000),  # 3000
        (232, received_at + 600 * SECOND + (choice - 226) * SECOND),  # around the last time that is believed
        (236, 1_230_768_000_000 + (choice - 234) * SECOND),  # around WhatsApp's first day
    ):
        if choice < below:
            return time
    return near + 1  # more precise than seconds


def spell_time(time: int, spelling: int) -> object:
    """Return a time as a gateway spells it. Spelling 0 is SAK's, if that is exact."""
    if time % SECOND or spelling % 7 == 1:
        return time
    forms: tuple[object, ...] = (
        time // SECOND,
        time,
        str(time // SECOND),
        datetime.fromtimestamp(time / SECOND, UTC).isoformat().replace("+00:00", "Z"),
        {"low": time // SECOND & 0xFFFFFFFF, "high": time // SECOND >> 32, "unsigned": True},
        time * 1_000,
        float(time // SECOND),
    )
    return forms[spelling % 7]
