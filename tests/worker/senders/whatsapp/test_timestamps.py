import pytest

from worker.senders.whatsapp import timestamps

SECOND = 1_734_621_000_000
"""2024-12-19T15:10:00Z"""


@pytest.mark.parametrize(
    ("spelled", "time"),
    [
        (1734621000, SECOND),
        (1734621000123, SECOND + 123),
        (1734621000123456, SECOND + 123),
        (1734621000123456789, SECOND + 123),
        (1734621000.5, SECOND + 500),
        (1734621000000.0, SECOND),
        ("1734621000", SECOND),
        (" 1734621000.25 ", SECOND + 250),
        ("1734621000123", SECOND + 123),
        ("2024-12-19T15:10:00Z", SECOND),
        ("2024-12-19T15:10:00.123456789Z", SECOND + 123),
        ("2024-12-19T20:40:00+05:30", SECOND),
        ("2024-12-19 20:40:00+05:30", SECOND),
        ({"low": 1734621000, "high": 0, "unsigned": True}, SECOND),
        ({"low": 1734621000, "high": 0}, SECOND),
        ({"low": 1734621000}, SECOND),
        ({"low": -533747192, "high": 403, "unsigned": False}, 1734633040392),
        ({"seconds": 1734621000, "nanos": 5}, SECOND),
        ({"seconds": {"low": 1734621000, "high": 0}}, SECOND),
        (86400, 86_400_000),
        (32503680000, 32_503_680_000_000),
        ("9999-12-31T23:59:59.999Z", timestamps.MAX_MILLISECONDS),
    ],
)
def test_one_moment_is_one_number_however_it_is_spelled(spelled: object, time: int) -> None:
    """Gateways use different units and forms, and the order of a conversation depends on the times."""
    assert timestamps.parse(spelled) == time


@pytest.mark.parametrize(
    "spelled",
    [
        *(None, True, False, 0, -1, -1734621000, 10**20, 10**30, 0.0, float("nan"), float("inf"), float("-inf"), 1e308),
        *("", " ", "yesterday", "nan", "infinity", "1e9", "1_734_621_000", "-1734621000", "+1734621000", "١٧٣٤٦٢١٠٠٠"),
        *("10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"),
        # Without a zone.
        *("2024-12-19T15:10:00", "2024-12-19 15:10:00", "2024-12-19"),
        *("2024-13-01T00:00:00Z", "2024-12-19T15:10:00Zebra", "9" * 100_000, "\ud800", "\x00"),
        *([], [1734621000], {}, {"low": "1734621000"}, {"low": None, "high": None}, {"low": 1.5, "high": 0}),
        *({"low": -1, "high": -1}, {"seconds": {"seconds": 1734621000}}),
        *({"low": 10**40, "high": 10**40}, {"high": 403}),
    ],
)
def test_an_invalid_timestamp_is_none(spelled: object) -> None:
    """The time of receipt replaces it, because a made-up time would put the message in a wrong place."""
    assert timestamps.parse(spelled) is None
