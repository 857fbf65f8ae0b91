"""Builds the heading of an export: its subject, its period and its time, in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from api.chats.exports import export_words
from store.access import tokens
from store.reading.export import ExportChat, ExportNote, ExportPeriod
from store.reading.session_names import SessionName

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class ExportHeading:
    """The subject of an export and its reader."""

    subject: Literal["conversation", "session"]
    period: ExportPeriod
    zone: ZoneInfo | None
    """The reader's time zone, or None for UTC."""
    language: str | None
    """The reader's language. None if the file is for a program, or in English."""
    exported_at: datetime
    title: str = ""
    """The name and the address of the chat, or the name of the session."""
    chat: ExportChat | None = None
    """The only chat, if there is only one."""
    session_names: Mapping[str, SessionName] | None = None

    @property
    def zone_or_utc(self) -> ZoneInfo:
        return self.zone or _UTC

    def word(self, name: str, default: str = "", **values: object) -> str:
        return export_words.word(self.language or "en", name, default, **values)

    def local_time(self, at: int) -> str:
        """Return a time in ms as `2026-01-31 12:00:00`, in the reader's time zone or, if none was requested, in UTC."""
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self.zone_or_utc).strftime("%Y-%m-%d %H:%M:%S")

    def session_name(self, session_id: str) -> str:
        return export_words.session_name(self.language or "en", session_id, self.session_names or {})

    def author(self, note: ExportNote) -> str:
        return self.word("owner") if note.author == tokens.BOOTSTRAP_NAME else note.author

    def spell_address(self, address: str) -> str:
        """Return the address or, if the export has a language, its readable form."""
        return export_words.spell_address(self.language, address) if self.language else address

    def rows(self) -> list[tuple[str, str]]:
        """Return the title, the sessions of the chat, the period, the time zone, and the time of the export."""
        first, last = self._day(self.period.since), self._day(self.period.until, before=1)
        period = self.word("period_value", first=first or self.word("beginning"), last=last or self.word("now"))
        sessions = ", ".join(dict.fromkeys(map(self.session_name, self.chat.session_ids))) if self.chat else ""
        return [
            (self.word(self.subject), self.title),
            *([(self.word("session"), sessions)] if sessions and self.language else []),
            (self.word("period"), period),
            (self.word("times"), str(self.zone_or_utc)),
            (self.word("exported_on"), self.local_time(int(self.exported_at.timestamp() * 1000))[:16]),
        ]

    def chat_rows(self, chat: ExportChat) -> list[tuple[str, str]]:
        """Return the labels and notes of a chat, below its title if it is one of several."""
        titles = [(self.word("conversation"), ", ".join(filter(None, (chat.name, self.spell_address(chat.address)))))]
        return [
            *(titles if self.chat is None else []),
            *([(self.word("labels"), ", ".join(chat.labels))] if chat.labels else []),
            *(
                (f"{self.word('note')} ({self.author(note)}, {self.local_time(note.at)[:16]})", note.text)
                for note in chat.notes
            ),
        ]

    def _day(self, at: int | None, before: int = 0) -> str | None:
        return None if at is None else self.local_time(at - before)[:10]
