"""Tests that the bounds in docs/security.md are those of the code.

Other tests show that a bound is enforced, usually with a smaller one. This test notices that one was raised.
"""

import pkgutil

import pytest

from api.settings import Settings
from dev.checkout import ROOT
from http_server.bounds import ConnectionBounds
from ingest import settings

PAGE = " ".join((ROOT / "docs" / "security.md").read_text().split())
MIB = 1 << 20

BOUNDS: dict[str, dict[str, object]] = {
    "Texts are cut at 65,536 characters and names at 256.": {
        "worker.senders.whatsapp.text:MAX_TEXT": 65_536,
        "worker.senders.whatsapp.text:MAX_NAME": 256,
    },
    "8 combining marks in a row are kept": {"store.model.spelling:MAX_MARKS": 8},
    "65,536 characters of a message. A transaction takes 1,000 changes or 256 KiB of texts, and 5 s for a statement": {
        "store.search_index.search_document:MAX_LENGTH": 65_536,
        "worker.housekeeping.indexer:CHANGES_PER_TRANSACTION": 1000,
        "store.search_index.search_index:MAX_TEXT_BYTES": 256 << 10,
        "store.search_index.search_index:_SETTINGS": {
            "statement_timeout": "5s",
            "plan_cache_mode": "force_generic_plan",
        },
    },
    "tried again every hour": {"store.search_index.search_index:_RETRY_INTERVAL": "1 hour"},
    "512 KiB of texts, or one message": {"store.reading.fragments.json_views:MAX_PAGE_BYTES": 512 << 10},
    "500 messages": {"api.http.parameters:MAX_LIMIT": 500},
    "the newest 1 MiB of its versions, 1,024 reactions and 4,096 receipts": {
        "store.reading.fragments.version_sql:_MAX_BYTES": str(MIB),
        "store.reading.fragments.message_json:_MAX_REACTIONS": "1024",
        "store.reading.messages.message_details:MAX_RECEIPTS": 4096,
    },
    "similar words are marked for 0.5 s of a page": {"api.chats.search:_MAX_MARKING_SECONDS": 0.5},
    "a search has 8 words of together 512 characters, and 2.5 s": {
        "store.reading.search.search_terms:MAX_WORDS": 8,
        "api.http.parameters:_MAX_TEXT_LENGTH": 512,
        "store.reading.search.search:_STATEMENT_TIMEOUT": "2500ms",
        "store.reading.search.search:_COUNT_TIMEOUT": "700ms",
    },
    "a cell of a workbook has 32,767 of them, a workbook 128 MiB of rows": {
        "api.chats.exports.spreadsheet:_MAX_CELL_LENGTH": 32_767,
        "api.chats.exports.spreadsheet:MAX_BYTES": 128 * MIB,
    },
    "the notes of 8 chats are read at a time": {"store.reading.export:_CHATS_AT_ONCE": 8},
    "the 100 types of event that a session reported last": {"store.reading.operations:MAX_EVENT_TYPES": 100},
    "a process remembers at most 16 MiB of changes": {"api.live.broadcaster:_BUFFER_BYTES": 8 * MIB},
    "Another one waits 2 s and then gets 503": {"api.auth.concurrency:MAX_WAIT_SECONDS": 2.0},
    "two at a time, four of all tokens; 120 s for a chunk, an hour for a file": {
        "api.chats.exports.export_slots:MAX_EXPORTS_OF_CALLER": 2,
        "api.chats.exports.export_slots:MAX_CONCURRENT_EXPORTS": 4,
        "api.chats.exports.export:SEND_TIMEOUT_SECONDS": 120.0,
        "api.chats.exports.export:MAX_SECONDS": 3600.0,
    },
    "40 calls of gateways at a time, of all tokens; 1,000 more wait": {
        "api.sending.dispatch:_MAX_GATEWAY_CALLS": 40,
        "api.sending.dispatch:_MAX_WAITING": 1000,
    },
    "four read the database at a time": {"api.app:_MAX_DATABASE_STREAMS": 4},
    "two workbooks": {"api.chats.exports.export_slots:MAX_CONCURRENT_SPREADSHEETS": 2},
    "| notified devices | 50": {"store.access.push_subscriptions:MAX_OF_TOKEN": 50},
    "20 labels of a chat, 500 of a session, 200 notes of 4,000 characters": {
        "store.annotations.labels:MAX_PER_CHAT": 20,
        "store.annotations.labels:MAX_OF_SESSION": 500,
        "store.annotations.labels:MAX_LENGTH": 40,
        "store.annotations.notes:MAX_PER_CHAT": 200,
        "store.annotations.notes:MAX_LENGTH": 4000,
    },
    "a client that does not read for 20 s is disconnected": {"api.live.stream:_SEND_TIMEOUT_SECONDS": 20.0},
    "`API_TOKEN` has at least 16 characters, 8 of them different": {
        "api.settings:_MIN_TOKEN_LENGTH": 16,
        "api.settings:_MIN_TOKEN_CHARACTERS": 8,
    },
    "from one IPv4 address or IPv6 /64 network are answered at once, then 30 a minute": {
        "api.auth.failed_attempts:BURST": 60,
        "api.auth.failed_attempts:PER_MINUTE": 30,
    },
    "end within a second": {"api.auth.revocations:INTERVAL_SECONDS": 0.5},
    "4 KiB of an answer are read, and a request takes 8 s at most": {
        "api.push.delivery:_MAX_RESPONSE_BYTES": 4096,
        "api.push.delivery:_SECONDS": 8.0,
    },
    "waited for half a second": {"api.push.sender:_VALID_SECONDS": 0.5},
    "after 30 days without a visit": {
        "store.access.push_subscriptions:_LIFETIME_DAYS": 30,
        "api.auth.cookies:LIFETIME_SECONDS": 30 * 86_400,
    },
    "a ticket opens one stream, within 30 s": {"store.access.stream_tickets:LIFETIME_SECONDS": 30},
    "has, for ten minutes": {"api.auth.single_sign_on:_ATTEMPT_SECONDS": 600},
    "for at most 5 s each": {"api.oidc.provider:_TIMEOUT_SECONDS": 5.0},
    "four calls of the provider run at a time": {"api.auth.single_sign_on:_MAX_CALLS": 4},
    "64 KiB together, 128 headers": {
        "http_server.request_size:MAX_HEAD_BYTES": 64 << 10,
        "http_server.bounded_reader:MAX_HEADERS": 128,
    },
    "| time for a head | 5 s": {"http_server.bounded_reader:HEAD_SECONDS": 5.0},
    "75 s, 5 s before its first request": {"http_server.bounded_reader:IDLE_SECONDS": 75.0},
    "| requests that wait behind another on one connection | 8": {"http_server.bounded_reader:MAX_WAITING_REQUESTS": 8},
    "unread responses (64 KiB of each)": {"http_server.bounded_reader:LARGE_BYTES": 64 << 10},
    "of those that are older than 1 s; at twice as many bytes, of all": {
        "http_server.connections:BURST_SECONDS": 1.0,
        "http_server.connections:BURST_FACTOR": 2,
    },
    "while more than 64 connections are open | four begin in a turn": {
        "http_server.connections:CROWD": 64,
        "http_server.connections:QUEUED_IN_A_TURN": 4,
    },
    "| lines about rejected requests in the log of the api | 50 in a second": {
        "api.http.request_log:MAX_REJECTED_A_SECOND": 50
    },
    "have 16 connections: the oldest is closed for another, and one that sends nothing ends after 5 s": {
        "worker.health:MAX_CONNECTIONS": 16,
        "worker.health:READ_SECONDS": 5.0,
    },
    "one word of letters, digits and `._~+/=-`, of at most 512": {"environment.secret_list:MAX_LENGTH": 512},
    "at most seven days, up to `QUARANTINE_MAX_BYTES`, and up to 256 KiB a second with a burst of a minute": {
        "ingest.quarantine.quarantine:DAYS": 7,
        "ingest.quarantine.quarantine:RATE_BYTES": 256 << 10,
        "ingest.quarantine.quarantine:BURST_BYTES": 60 * (256 << 10),
    },
}


@pytest.mark.parametrize("sentence", BOUNDS)
def test_a_bound_is_as_documented(sentence: str) -> None:
    found = {name: pkgutil.resolve_name(name) for name in BOUNDS[sentence]}

    assert sentence in PAGE
    assert found == BOUNDS[sentence]


def test_ingest_and_the_api_bound_their_connections_as_documented() -> None:
    """A webhook must arrive within the time that SAK waits for its answer. A file may take longer to upload."""
    environ = {"MAX_CONNECTIONS": "100", "REDIS_URL": "redis://127.0.0.1:1/0", "WEBHOOK_SECRETS": "a-secret"}
    environ |= {"API_TOKEN": "made-up-token-0123456789", "DATABASE_URL": "postgresql://app@127.0.0.1:1/x"}

    assert "| time for a body | ingest 8 s; api 20 s, and longer while it arrives with 16 KiB/s" in PAGE
    assert "ingest 30 s, api 120 s without one byte accepted" in PAGE
    assert settings.read(environ).connection_bounds == ConnectionBounds(
        100, 4 * MIB, MIB, body_seconds=8.0, unread_seconds=30.0, answers_half_closed=True
    )
    assert Settings.from_environ(environ).connection_bounds == ConnectionBounds(
        100, 4 * MIB, MIB, body_seconds=20.0, min_body_rate=16 << 10, unread_seconds=120.0
    )
