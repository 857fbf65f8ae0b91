"""Tests the outages of a session that its checks reveal."""

from store.history.sessions import outages
from store.history.sessions.outages import ConnectionCheck, Outage
from store.postgres import connections

S = "s1"


def outages_after(url: str, *checks: ConnectionCheck) -> list[Outage]:
    with connections.open(url, "test") as connection:
        for check in checks:
            outages.record_check(connection, S, check)
        return outages.between(connection, [S], 0, 10_000)


def disconnected(at: int) -> ConnectionCheck:
    return ConnectionCheck(at, "disconnected", "SAK says that it is not connected")


def test_an_outage_lies_between_two_checks_that_found_the_session_connected(database_url: str) -> None:
    """It began after a check that saw the session connected. As the exact time is unknown, both ends are stored."""
    (found,) = outages_after(
        database_url,
        ConnectionCheck(100, None),
        ConnectionCheck(200, None),
        disconnected(300),
        disconnected(500),
        ConnectionCheck(900, None),
    )

    assert (found.connected_at, found.first_at, found.last_at, found.ended_at, found.looks) == (200, 300, 500, 900, 2)


def test_a_gateway_that_does_not_answer_is_another_kind_of_outage(database_url: str) -> None:
    """The session may work although the gateway is unreachable."""
    found = outages_after(database_url, ConnectionCheck(100, "unreachable", "no answer"), disconnected(200))

    assert [(one.kind, one.connected_at, one.ended_at) for one in found] == [
        ("unreachable", None, 200),
        ("disconnected", None, None),
    ]


def test_an_outage_ends_when_the_session_connected_according_to_the_gateway(database_url: str) -> None:
    """A check notices it up to 15 minutes later, but messages of those minutes are not missing."""
    (found,) = outages_after(
        database_url, disconnected(300), disconnected(500), ConnectionCheck(900, None, last_connected_at=510)
    )

    assert (found.last_at, found.ended_at) == (500, 510)


def test_an_unreachable_gateway_was_reachable_again_at_the_check_and_not_before(database_url: str) -> None:
    """The gateway was unreachable while its session stayed connected, so only the check itself ends that outage."""
    (found,) = outages_after(
        database_url,
        ConnectionCheck(300, "unreachable", "no answer"),
        ConnectionCheck(900, None, last_connected_at=100),
    )

    assert (found.connected_at, found.ended_at) == (None, 900)


def test_a_session_that_connected_only_between_two_checks_had_two_outages(database_url: str) -> None:
    """Both checks find it disconnected, but the messages of the time between have arrived."""
    first, second = outages_after(
        database_url, disconnected(300), ConnectionCheck(900, "disconnected", "away", last_connected_at=400)
    )

    assert (first.first_at, first.ended_at) == (300, 400)
    assert (second.connected_at, second.first_at, second.ended_at) == (400, 900, None)


def test_a_first_check_that_finds_a_disconnected_session_knows_its_last_connect(database_url: str) -> None:
    """A process that starts during an outage has no earlier checks of its own."""
    (found,) = outages_after(database_url, ConnectionCheck(900, "disconnected", "away", last_connected_at=400))

    assert (found.connected_at, found.first_at) == (400, 900)


def test_exactly_the_outages_that_overlap_a_period_are_found(database_url: str) -> None:
    """A page of a conversation requests its own period."""
    outages_after(
        database_url, ConnectionCheck(100, None), disconnected(200), ConnectionCheck(300, None), disconnected(5000)
    )
    with connections.open(database_url, "test") as connection:
        found = [len(outages.between(connection, None, *span)) for span in ((0, 99), (0, 100), (300, 400), (301, 400))]
        still = outages.between(connection, [S], 9000, 9999)
        other = outages.between(connection, ["s2"], 0, 9999)

    assert found == [0, 1, 2, 1]
    assert [one.ended_at for one in still] == [None]
    assert other == []


def test_one_process_checks_a_session_for_all(database_url: str) -> None:
    """SAK limits requests by IP address, so one process is enough."""
    with connections.open(database_url, "test") as connection:
        claims = [outages.claim_check(connection, S, 60) for _ in range(3)]
        outages.postpone_check(connection, S, 0)
        again = outages.claim_check(connection, S, 60)

    assert (claims, again) == ([True, False, False], True)


def test_readers_are_told_when_an_outage_begins_and_ends(database_url: str) -> None:
    """A change is recorded when the first check finds it, but not again at later checks."""
    outages_after(
        database_url,
        ConnectionCheck(1, None),
        disconnected(2),
        disconnected(3),
        disconnected(4),
        ConnectionCheck(5, None),
        ConnectionCheck(6, None),
    )
    with connections.open(database_url, "test") as connection:
        published = connection.execute("SELECT kind, session_id FROM changes").fetchall()

    assert published == [("session", S)] * 3
