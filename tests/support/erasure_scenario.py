"""Histories in which somebody is to be forgotten, and what is to be found of them afterwards: nothing."""

import itertools
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from psycopg import conninfo

from ingest.queue import contract
from store.erasure import jobs, requests
from store.erasure.key_store import Keeping
from store.erasure.subjects import Person
from store.erasure.suppressions import Forgets
from store.feed import search_index
from store.ingestion import apply
from store.ledger import ledger
from store.postgres import client_programs, connections
from store.replay import replay
from store.replay.parked_retry import Redrive
from store.replay.replay import Plan, Replay
from store.replay.sources import Parser
from store.sending import sends
from store.sending.sends import Draft, Result
from tests.support.faulty_parsers import Misreading, rightly
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from worker.drain import decoding

ASHA, LID, RAVI, GROUP = world.ASHA, world.LID_OF_ASHA, world.RAVI, world.GROUP
SESSION, OTHER_SESSION = world.SESSIONS
THEIRS = (
    ASHA,
    LID.partition("@")[0],
    "Asha Rao",
    "zebra one",
    "zebra two",
    "zebra three",
    "zebra four",
    "zebra five",
    "🦓",
)
"""Her addresses, her name, her words."""
NUMBERS = itertools.count(1)


def now() -> int:
    return time.time_ns() // 1_000_000


def message(words: str, number: int, sender: str = ASHA, **more: object) -> bytes:
    fields = {"event": "message.received", "sessionId": SESSION, "from": world.jid(sender), "messageId": f"ID{number}"}
    told = {"timestamp": world.T0 // 1000 + number, "type": "conversation", "text": words}
    return world.encoded({**fields, **told, **more})


def in_group(words: str, number: int, sender: str = ASHA, **more: object) -> bytes:
    return message(words, number, GROUP, participant=world.jid(sender), **more)


def reaction(emoji: str, to: int, number: int, sender: str = ASHA) -> bytes:
    told = {"messageId": f"ID{number}", "timestamp": world.T0 // 1000 + number, "participant": world.jid(sender)}
    fields = {"event": "message.reaction", "sessionId": SESSION, "from": GROUP, **told}
    return world.encoded({**fields, "reaction": {"text": emoji, "key": {"id": f"ID{to}"}}})


class House:
    """A database with what keeps its forgets, and what workers and operators do in it."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self.environ = {"DATA_DIR": str(folder), "DATABASE_URL": database_url}
        self.keeping = Keeping.from_environ(self.environ)
        self.known = Forgets(self.keeping.find)
        self.received = 0
        """How many events were acknowledged."""
        self._number = 0
        self._writer = f"{next(NUMBERS):032x}"

    def batch(self, bodies: Sequence[bytes], received_at: int | None = None) -> contract.Batch:
        """As ingest acknowledges it; not drained yet."""
        at = now() - 1000 if received_at is None else received_at
        self._number, self.received = self._number + 1, self.received + len(bodies)
        return generated_history_batches.batch(
            [(body, at) for body in bodies], number=self._number, upto=self.received, writer=self._writer
        )

    def drain(self, batches: Iterable[contract.Batch]) -> Counter[str]:
        """As a worker does."""
        with connections.open(self.url, "worker") as connection:
            read = [decoding.batch(contract.to_fields(batch)) for batch in batches]
            return apply.apply(connection, read, known=self.known)

    def tell(self, *bodies: bytes, received_at: int | None = None) -> Counter[str]:
        return self.drain([self.batch(bodies, received_at)])

    def record(self, address: str, session_id: str | None = None) -> Person:
        with connections.open(self.url, "forget") as connection:
            return requests.record(connection, self.keeping, address, session_id)

    def erase(self) -> Counter[str]:
        total = dict[int, Counter[str]]()
        with connections.open(self.url, "forget") as connection:
            jobs.finish(connection, self.keeping, lambda done: total.update({done.erasure_id: done.erased}))
        return sum(total.values(), Counter[str]())

    def forget(self, address: str, session_id: str | None = None) -> Counter[str]:
        self.record(address, session_id)
        return self.erase()

    def replay(self, read: Misreading = rightly, *, dry: bool = False, parked: bool = False) -> Counter[str]:
        parser = Parser(read, f"{next(NUMBERS)}", rejected="rejected_by_store", deadly="kills_worker", known=self.known)
        plan = Plan(parser, dry=dry)
        with replay.open(self.url, plan) as connection:
            job = Redrive(connection, plan) if parked else Replay(connection, plan)
            while job.step():
                pass
        return job.report.counts

    def index(self) -> None:
        """Let the search take in what is there."""
        with connections.open(self.url, "search") as connection:
            while search_index.follow(connection, 1000):
                pass

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with connections.open(self.url, "test") as connection:
            cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
            return cursor.fetchall() if cursor.description else []

    def texts(self) -> list[object]:
        return [text for (text,) in self.rows("SELECT message_text FROM whatsapp_messages ORDER BY id")]

    def counted(self) -> dict[str, int]:
        """The ledger; fails if it does not add up."""
        with connections.open(self.url, "ledger") as connection:
            read = ledger.read(connection)
        columns = ("stored", "duplicate", "noise", "ping", "parked", "forgotten")
        counts = {column: count for column in columns if (count := getattr(read, column))}
        assert sum(counts.values()) == self.received, "every event that was drained is counted once"
        return counts

    def dump(self) -> str:
        """Everything that a backup would have, with the raw bodies as they were."""
        with connections.open(self.url, "test") as connection:
            program = client_programs.find("pg_dump", connection.info.server_version // 10000)
        done = subprocess.run(
            [program.path, "--data-only", "--inserts", "--no-password", f"--dbname={conninfo.make_conninfo(self.url)}"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def holds(self, *words: str) -> list[str]:
        """Which of these words are anywhere in the database."""
        dump = self.dump()
        return [word for word in words if word in dump or word.encode().hex() in dump]


def everything_of_asha(house: House) -> None:
    """Every kind of trace that somebody leaves, among what others wrote; nine events of hers, five of others."""
    house.tell(
        message("zebra one", 1, pushName="Asha Rao"),
        message("zebra two", 2, LID, from_lid=LID, from_number=f"+{ASHA}"),
        message("hello from ravi", 3, RAVI, pushName="Ravi"),
        in_group("zebra three", 4, pushName="Asha Rao"),
        in_group("ravi in the group", 5, RAVI),
        # The gateway's own words quote her; the message is Ravi's.
        in_group("see above", 6, RAVI, contextInfo={"participant": world.jid(ASHA), "quoted": "zebra three"}),
        reaction("🦓", 5, 7),
        reaction("👍", 4, 8, RAVI),
        world.encoded(
            {"event": "never.heard.of", "sessionId": SESSION, "who": f"+91 {ASHA[2:7]} {ASHA[7:]}", "x": "zebra four"}
        ),
        world.encoded({"event": "never.heard.of", "sessionId": SESSION, "who": RAVI}),
    )
    house.tell(
        world.encoded(
            {
                "event": "message.sent",
                "sessionId": SESSION,
                "data": {"to": ASHA, "message": {"id": "ID20", "text": "zebra five", "timestamp": world.T0}},
            }
        ),
        world.encoded(
            {"event": "message.status", "sessionId": SESSION, "messageId": "ID20", "status": "read", "to": ASHA}
        ),
        world.encoded(
            {
                "event": "message.edited",
                "sessionId": SESSION,
                "from": world.jid(ASHA),
                "messageId": "ID1",
                "newText": "zebra one, edited",
                "timestamp": world.T0,
            }
        ),
        message("ravi again", 9, RAVI),
    )
    with connections.open(house.url, "api") as connection:
        made = Draft(uuid.uuid4(), SESSION, ASHA, "text", "zebra five, by us", now() - 500, "token", "api")
        sends.record(connection, made)
        sends.complete(connection, made.send_id, Result("sent", "SENT1"))
        failed = Draft(
            uuid.uuid4(), SESSION, ASHA, "document", "zebra two", now() - 400, "token", "api", "zebra one.pdf"
        )
        sends.record(connection, failed)
        sends.complete(connection, failed.send_id, Result("failed", reason="no zebra four"))
        connection.execute(
            "INSERT INTO audit (caller, method, path, status) VALUES ('token', 'POST', %s, 200)",
            [f"/api/chats/+{ASHA}/read"],
        )
    house.index()
