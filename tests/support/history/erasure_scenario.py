"""Builds histories with a person to erase, and searches the database for traces."""

import itertools
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from psycopg import conninfo

from ingest.queue import contract
from store.annotations import labels, notes
from store.erasure import jobs, requests
from store.erasure.key_store import SuppressionKeyStore
from store.erasure.subjects import ErasureSubject
from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply
from store.ledger import ledger
from store.postgres import client_programs, connections
from store.reading.fragments.chat_scope import ChatScope
from store.replay import redrive_requests, replay
from store.replay.redrive import Redrive
from store.replay.redrive_requests import RedriveSelection
from store.replay.replay import Replay, ReplayPlan
from store.replay.sources import EventParser
from store.search_index import search_index
from store.sending import sends
from store.sending.sends import SendDraft, SendResult
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from tests.support.history.faulty_parsers import FaultyParser, parse_correctly
from worker.drain import decoding
from worker.senders import dispatch

ASHA, LID, RAVI, GROUP = world.ASHA, world.LID_OF_ASHA, world.RAVI, world.GROUP
SESSION, OTHER_SESSION = world.SESSIONS
ERASED_WORDS = (
    *(ASHA, LID.partition("@")[0], "Asha Rao", "🦓", "striped label", "striped note"),
    *(f"zebra {number}" for number in ("one", "two", "three", "four", "five")),
)
"""Asha's addresses, her name, her words, and what users wrote about her."""
SCENARIO_NUMBERS = itertools.count(1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message_event(text: str, number: int, sender: str = ASHA, **more: object) -> bytes:
    fields = {
        "event": "message.received",
        "sessionId": SESSION,
        "from": world.spell_jid(sender),
        "messageId": f"ID{number}",
    }
    content = {"timestamp": world.BASE_TIME // 1000 + number, "type": "conversation", "text": text}
    return world.encode_event({**fields, **content, **more})


def group_message_event(text: str, number: int, sender: str = ASHA, **more: object) -> bytes:
    return message_event(text, number, GROUP, participant=world.spell_jid(sender), **more)


def reaction_event(emoji: str, to: int, number: int, sender: str = ASHA) -> bytes:
    content = {
        "messageId": f"ID{number}",
        "timestamp": world.BASE_TIME // 1000 + number,
        "participant": world.spell_jid(sender),
    }
    fields = {"event": "message.reaction", "sessionId": SESSION, "from": GROUP, **content}
    return world.encode_event({**fields, "reaction": {"text": emoji, "key": {"id": f"ID{to}"}}})


class ErasureScenario:
    """A database with its suppression key store, and the actions of workers and operators."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self.environ = {"DATA_DIR": str(folder), "DATABASE_URL": database_url}
        self.key_store = SuppressionKeyStore.from_environ(self.environ)
        self.suppressions = SuppressionCache(self.key_store.find_key)
        self.received = 0
        """The number of acknowledged events."""
        self._number = 0
        self._writer = f"{next(SCENARIO_NUMBERS):032x}"

    def acknowledge(self, bodies: Sequence[bytes], received_at: int | None = None) -> contract.RawBatch:
        """Return the events as a batch that ingest has acknowledged and no worker has drained."""
        at = now_ms() - 1000 if received_at is None else received_at
        self._number, self.received = self._number + 1, self.received + len(bodies)
        return generated_history_batches.make_batch(
            [(body, at) for body in bodies], number=self._number, upto=self.received, writer=self._writer
        )

    def drain(self, batches: Iterable[contract.RawBatch], parse: FaultyParser | None = None) -> Counter[str]:
        """Store batches as a worker does. `parse` may be another parser."""
        with connections.open(self.url, "worker") as connection:
            read = [decoding.batch(contract.to_fields(batch)) for batch in batches]
            if parse is not None:
                read = [replace(b, events=tuple(replace(e, outcome=parse(e.body)) for e in b.events)) for b in read]
            return apply.batches(connection, read, suppressions=self.suppressions)

    def receive(
        self, *bodies: bytes, received_at: int | None = None, parse: FaultyParser | None = None
    ) -> Counter[str]:
        return self.drain([self.acknowledge(bodies, received_at)], parse)

    def record_request(self, address: str, session_id: str | None = None) -> ErasureSubject:
        with connections.open(self.url, "forget") as connection:
            return requests.record(connection, self.key_store, address, session_id)

    def erase(self) -> Counter[str]:
        total = dict[int, Counter[str]]()
        with connections.open(self.url, "forget") as connection:
            jobs.run_all(connection, self.key_store, lambda done: total.update({done.erasure_id: done.erased_counts}))
        return sum(total.values(), Counter[str]())

    def erase_person(self, address: str, session_id: str | None = None) -> Counter[str]:
        self.record_request(address, session_id)
        return self.erase()

    def replay(self, read: FaultyParser = parse_correctly, *, dry: bool = False, parked: bool = False) -> Counter[str]:
        parser = EventParser(
            lambda sender, body: dispatch.parse(sender, body).outcome if sender else read(body),
            f"{next(SCENARIO_NUMBERS)}",
            rejected_reason="rejected_by_store",
            poison_reason="kills_worker",
            suppressions=self.suppressions,
        )
        plan = ReplayPlan(parser, dry_run=dry)
        with replay.open_connection(self.url) as connection:
            job = (
                Redrive(connection, plan, redrive_requests.select_event_ids(connection, RedriveSelection()))
                if parked
                else Replay(connection, plan)
            )
            while job.step():
                pass
        return job.report.difference_counts

    def update_search_index(self) -> None:
        """Index all messages for the search."""
        with connections.open(self.url, "search") as connection:
            while search_index.advance(connection, 1000):
                pass

    def fetch_rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with connections.open(self.url, "test") as connection:
            cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
            return cursor.fetchall() if cursor.description else []

    def message_texts(self) -> list[object]:
        return [text for (text,) in self.fetch_rows("SELECT message_text FROM whatsapp_messages ORDER BY id")]

    def ledger_counts(self) -> dict[str, int]:
        """Return the counts of the ledger. Fails if events are lost."""
        with connections.open(self.url, "ledger") as connection:
            read = ledger.read(connection)
        columns = ("stored", "duplicate", "noise", "ping", "parked", "forgotten")
        counts = {column: count for column in columns if (count := getattr(read, column))}
        assert sum(counts.values()) == self.received, "every event that was drained is counted once"
        return counts

    def dump(self) -> str:
        """Return the contents of all tables, with raw bodies."""
        with connections.open(self.url, "test") as connection:
            program = client_programs.find("pg_dump", connection.info.server_version // 10000)
        done = subprocess.run(
            [program.path, "--data-only", "--inserts", "--no-password", f"--dbname={conninfo.make_conninfo(self.url)}"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def find_words(self, *words: str) -> list[str]:
        """Return the words that occur anywhere in the database."""
        dump = self.dump()
        return [word for word in words if word in dump or word.encode().hex() in dump]


def store_asha_history(house: ErasureScenario) -> None:
    """Store nine events about Asha, one for each kind of trace, and five events about others."""
    house.receive(
        message_event("zebra one", 1, pushName="Asha Rao"),
        message_event("zebra two", 2, LID, from_lid=LID, from_number=f"+{ASHA}"),
        message_event("hello from ravi", 3, RAVI, pushName="Ravi"),
        group_message_event("zebra three", 4, pushName="Asha Rao"),
        group_message_event("ravi in the group", 5, RAVI),
        # The gateway's error message quotes Asha, although the message is Ravi's.
        group_message_event(
            "see above", 6, RAVI, contextInfo={"participant": world.spell_jid(ASHA), "quoted": "zebra three"}
        ),
        reaction_event("🦓", 5, 7),
        reaction_event("👍", 4, 8, RAVI),
        world.encode_event(
            {"event": "never.heard.of", "sessionId": SESSION, "who": f"+91 {ASHA[2:7]} {ASHA[7:]}", "x": "zebra four"}
        ),
        world.encode_event({"event": "never.heard.of", "sessionId": SESSION, "who": RAVI}),
    )
    house.receive(
        world.encode_event(
            {
                "event": "message.sent",
                "sessionId": SESSION,
                "data": {"to": ASHA, "message": {"id": "ID20", "text": "zebra five", "timestamp": world.BASE_TIME}},
            }
        ),
        world.encode_event(
            {"event": "message.status", "sessionId": SESSION, "messageId": "ID20", "status": "read", "to": ASHA}
        ),
        world.encode_event(
            {
                "event": "message.edited",
                "sessionId": SESSION,
                "from": world.spell_jid(ASHA),
                "messageId": "ID1",
                "newText": "zebra one, edited",
                "timestamp": world.BASE_TIME,
            }
        ),
        message_event("ravi again", 9, RAVI),
    )
    with connections.open(house.url, "api") as connection:
        made = SendDraft(uuid.uuid4(), SESSION, ASHA, "text", "zebra five, by us", now_ms() - 500, "token", "api")
        sends.record(connection, made)
        sends.complete(connection, made.send_id, SendResult("sent", "SENT1"))
        failed = SendDraft(
            uuid.uuid4(), SESSION, ASHA, "document", "zebra two", now_ms() - 400, "token", "api", "zebra one.pdf"
        )
        sends.record(connection, failed)
        sends.complete(connection, failed.send_id, SendResult("failed", reason="no zebra four"))
        labels.change(connection, ChatScope(ASHA, None), "token", ["striped label"], [])
        notes.add(connection, ChatScope(LID, None), "token", "striped note")
        connection.execute(
            "INSERT INTO audit_log (caller, method, path, status) VALUES ('token', 'POST', %s, 200)",
            [f"/api/chats/+{ASHA}/read"],
        )
    house.update_search_index()
