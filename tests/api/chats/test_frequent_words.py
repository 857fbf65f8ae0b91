"""Tests the search for words of very different frequencies."""

import pytest

from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact
from tests.support.history.searching import search, texts

COMMON = """
    INSERT INTO search_index (id, chat_id, session_id, direction, message_type, timestamp, text, spelling)
    SELECT 0 - i, 0, 's1', 'incoming', 'text', 1760000000000 + i, 'please order', 2 FROM generate_series(1, 6000) AS i
"""


@pytest.mark.parametrize("q", ["please order", "please ordr", "please", "5512 please", "pleese 5512", "ease", "or"])
@pytest.mark.parametrize("address", [None, SENDER_PHONE])
def test_rare_words_are_found_below_many_newer_messages(
    history: HistoryWriter, client: ApiClient, q: str, address: str | None
) -> None:
    """The frequency of words decides which index is used, but not which messages are found."""
    history.store(message_fact("please order 5512"), message_fact("please", 1, address="919811000002"))
    search(client, "please")
    # Nobody may see these messages. They only precede the others in the index.
    history.execute("SET session_replication_role = replica; " + COMMON)

    found = texts(client, q, **({} if address is None else {"address": address}))

    assert found[-1 if address is None and q in {"please", "ease"} else 0] == "please order 5512"
