"""Tests the filters that list the chats behind a number in the statistics."""

from tests.support.history.history_writer import BASE_TIME, ApiClient, HistoryWriter, message_fact


def test_a_number_of_the_statistics_leads_to_its_chats(history: HistoryWriter, client: ApiClient) -> None:
    """It lists the chats that wrote in an hour, that received messages, and that were answered.

    A question counts in the hour in which it was asked, however late the answer came.
    """
    asked, answered, wrote_later, written_to, answered_later = (f"91981100000{number}" for number in range(1, 6))
    history.store(message_fact(at=0, address=asked), message_fact(at=10, address=answered))
    history.store(message_fact(at=20, address=answered, direction="outgoing"), message_fact(at=5000, address=asked))
    history.store(message_fact(at=5000, address=wrote_later))
    history.store(
        message_fact(at=30, address=written_to, direction="outgoing"), message_fact(at=40, address=written_to)
    )
    history.store(message_fact(at=999, address=answered_later))
    history.store(message_fact(at=1001, address=answered_later, direction="outgoing"))
    hour: dict[str, int | str] = {"since": BASE_TIME, "until": BASE_TIME + 1000}

    def addresses(**filters: int | str) -> set[str]:
        return {contact["address"] for contact in client.get_data("/api/chats", **filters)["contacts"]}

    assert addresses(**hour) == {asked, answered, written_to, answered_later}
    assert addresses(**hour, direction="incoming") == {asked, answered, written_to, answered_later}
    assert addresses(**hour, direction="outgoing") == {answered, written_to}
    assert addresses(**hour, answered="true") == {answered, answered_later}
    assert addresses(since=BASE_TIME + 1000, session_id="s1") == {asked, wrote_later, answered_later}
    assert addresses(direction="outgoing", q=written_to) == {written_to}
    assert client.get("/api/chats", answered="true", direction="incoming").status_code == 400
