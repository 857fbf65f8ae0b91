"""The shapes that gateways put an event into, filled from dice."""

from dataclasses import dataclass

from tests.support.generated_history import world
from tests.support.generated_history.world import Fields


@dataclass(frozen=True, slots=True)
class Dice:
    """What decides one event, each 0 to 255; zeros are the plainest event, towards which hypothesis shrinks."""

    kind: int
    chat: int
    number: int
    time: int
    dialect: int
    detail: int
    name: int
    received: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """The dice as the world understands them."""

    session_id: str
    address: str
    """The chat."""
    message_id: str
    number: int
    ours: bool
    """Whether the message is one that we wrote."""
    time: int | None
    dialect: int
    detail: int
    name: str | None

    @property
    def participant(self) -> str:
        """In a group, who speaks."""
        return world.PEOPLE[self.number % len(world.PEOPLE)]

    def timed(self, fields: Fields, key: str = "timestamp") -> Fields:
        """The fields with the time, where there is one."""
        return fields if self.time is None else {**fields, key: world.spelled(self.time, self.dialect >> 3)}

    def event(self, name: str, fields: Fields) -> Fields:
        return {"event": name, "sessionId": self.session_id, **fields}

    def flat(self, fields: Fields, *, ours: bool | None = None) -> Fields:
        """SAK's flat `message.received`; `from` is the chat, whoever wrote."""
        chat = world.jid(self.address, self.dialect >> 5)
        said: Fields = {"from": chat, "from_jid": chat, "messageId": self.message_id, **fields}
        user = self.address.partition("@")[0]
        if self.address.endswith("@lid"):
            said |= {"wa_id": user, "from_number": user, "from_lid": self.address}
        elif "@" not in self.address:
            said |= {"wa_id": user, "from_number": f"+{user}"}
        elif self.detail & 0x40:
            said["participant"] = world.jid(self.participant)
        if self.ours if ours is None else ours:
            said["fromMe"] = True
        if self.name is not None:
            said["pushName"] = self.name
        return self.event("message.received", self.timed(said))

    def key(self, message_id: str, *, ours: bool) -> Fields:
        """A message's name in Baileys."""
        key: Fields = {"remoteJid": world.jid(self.address), "fromMe": ours, "id": message_id}
        if self.address == world.GROUP and not ours:
            key["participant"] = world.jid(self.participant)
        return key

    def baileys(self, message: Fields) -> Fields:
        data: Fields = {"key": self.key(self.message_id, ours=self.ours), "message": message}
        if self.name is not None:
            data["pushName"] = self.name
        return self.event("message.received", {"data": self.timed(data, "messageTimestamp")})

    def nested(self, message: Fields, beside: Fields | None = None) -> Fields:
        """The guides' shape, `message.sent` for ours."""
        said = self.timed(message)
        if self.ours:
            return self.event("message.sent", {"data": {"to": self.address, "message": said, **(beside or {})}})
        data: Fields = {"from": self.address, "message": said, **(beside or {})}
        if self.name is not None:
            data["contact"] = {"name": self.name, "number": self.address.partition("@")[0]}
        return self.event("message.received", {"data": data})
