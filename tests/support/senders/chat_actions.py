"""Describes what happens in a chat, and encodes it in WhatsApp's protobuf messages."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

OURS: Final = "919880000001"
ActionKind: TypeAlias = Literal["text", "image", "reaction", "edit", "delete", "ack"]


@dataclass(frozen=True, slots=True)
class ChatAction:
    """An action in a chat, such as a message or an acknowledgement."""

    kind: ActionKind
    id: str
    chat: str
    """A phone or a group."""
    at: int
    """The time in seconds."""
    ours: bool = False
    sender: str | None = None
    """The phone of another member, if the chat is a group."""
    text: str = ""
    """The text, the caption, the emoji, or the status of an acknowledgement."""
    target: str = ""
    """The id of the message that the action changes."""
    is_caption: bool = False
    """Whether the edited text is a caption."""

    @property
    def is_group(self) -> bool:
        return "@" in self.chat

    @property
    def author(self) -> str:
        return OURS if self.ours else self.sender or self.chat

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.at, UTC).isoformat().replace("+00:00", "Z")


def jid(address: str, server: str = "s.whatsapp.net") -> str:
    return address if "@" in address else f"{address}@{server}"


def key(action: ChatAction, message_id: str, *, spelled_by_go: bool = False) -> dict[str, object]:
    """Return the key of a message in Baileys or whatsmeow."""
    names = ("remoteJID", "ID") if spelled_by_go else ("remoteJid", "id")
    named: dict[str, object] = {names[0]: jid(action.chat), "fromMe": action.ours, names[1]: message_id}
    return {**named, "participant": jid(action.author)} if action.is_group and not action.ours else named


def edit(action: ChatAction, target: dict[str, object]) -> dict[str, object]:
    edited = file(action) if action.is_caption else {"conversation": action.text}
    return {"key": target, "type": 14, "editedMessage": edited}


def file(action: ChatAction) -> dict[str, object]:
    """Return a picture. It has no caption if the text is empty."""
    caption = {"caption": action.text} if action.text else {}
    return {"imageMessage": {"mimetype": "image/jpeg", **caption}}


def protobuf(action: ChatAction, *, spelled_by_go: bool = False) -> dict[str, object]:
    """Return the message as Baileys or whatsmeow spells it."""
    target = key(action, action.target, spelled_by_go=spelled_by_go)
    match action.kind:
        case "image":
            return file(action)
        case "reaction":
            return {"reactionMessage": {"key": target, "text": action.text}}
        case "edit":
            return {"protocolMessage": edit(action, target)}
        case "delete":
            return {"protocolMessage": {"key": target, "type": 0}}
        case _:
            return {"conversation": action.text}
