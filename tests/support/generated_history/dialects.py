"""Builds events in the shapes that gateways use, from drawn bytes."""

from dataclasses import dataclass

from tests.support.generated_history import world
from tests.support.generated_history.world import JsonFields


@dataclass(frozen=True, slots=True)
class EventChoices:
    """The bytes that decide one event, 0 to 255 each. Zeros are the simplest event, to which hypothesis shrinks."""

    kind: int
    chat: int
    number: int
    time: int
    dialect: int
    detail: int
    name: int
    received: int


@dataclass(frozen=True, slots=True)
class EventDraft:
    """The event that the bytes mean in the world."""

    session_id: str
    address: str
    """The address of the chat."""
    message_id: str
    number: int
    is_outgoing: bool
    """Whether it is our message."""
    time: int | None
    dialect: int
    detail: int
    name: str | None

    @property
    def participant(self) -> str:
        """The sender of a message in a group."""
        return world.PEOPLE[self.number % len(world.PEOPLE)]

    def with_time(self, fields: JsonFields, key: str = "timestamp") -> JsonFields:
        """Return the fields with the time, if there is one."""
        return fields if self.time is None else {**fields, key: world.spell_time(self.time, self.dialect >> 3)}

    def envelope(self, name: str, fields: JsonFields) -> JsonFields:
        return {"event": name, "sessionId": self.session_id, **fields}

    def flat(self, fields: JsonFields, *, ours: bool | None = None) -> JsonFields:
        """Return SAK's flat `message.received`. `from` is the chat, whoever wrote the message."""
        chat = world.spell_jid(self.address, self.dialect >> 5)
        said: JsonFields = {"from": chat, "from_jid": chat, "messageId": self.message_id, **fields}
        user = self.address.partition("@")[0]
        if self.address.endswith("@lid"):
            said |= {"wa_id": user, "from_number": user, "from_lid": self.address}
        elif "@" not in self.address:
            said |= {"wa_id": user, "from_number": f"+{user}"}
        elif self.detail & 0x40:
            said["participant"] = world.spell_jid(self.participant)
        if self.is_outgoing if ours is None else ours:
            said["fromMe"] = True
        if self.name is not None:
            said["pushName"] = self.name
        return self.envelope("message.received", self.with_time(said))

    def baileys_key(self, message_id: str, *, ours: bool) -> JsonFields:
        """Return a message's key in Baileys."""
        key: JsonFields = {"remoteJid": world.spell_jid(self.address), "fromMe": ours, "id": message_id}
        if self.address == world.GROUP and not ours:
            key["participant"] = world.spell_jid(self.participant)
        return key

    def baileys(self, message: JsonFields) -> JsonFields:
        data: JsonFields = {"key": self.baileys_key(self.message_id, ours=self.is_outgoing), "message": message}
        if self.name is not None:
            data["pushName"] = self.name
        return self.envelope("message.received", {"data": self.with_time(data, "messageTimestamp")})

    def nested(self, message: JsonFields, beside: JsonFields | None = None) -> JsonFields:
        """Return the nested shape of the guides, which is `message.sent` for our messages."""
        said = self.with_time(message)
        if self.is_outgoing:
            return self.envelope("message.sent", {"data": {"to": self.address, "message": said, **(beside or {})}})
        data: JsonFields = {"from": self.address, "message": said, **(beside or {})}
        if self.name is not None:
            data["contact"] = {"name": self.name, "number": self.address.partition("@")[0]}
        return self.envelope("message.received", {"data": data})
