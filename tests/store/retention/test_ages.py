from datetime import UTC, datetime

import pytest

from store.retention import ages
from store.retention.ages import AgeError

NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "then"),
    [
        ("90d", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        ("12w", datetime(2024, 1, 7, 12, tzinfo=UTC)),
        ("1m", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("18m", datetime(2022, 9, 30, 12, tzinfo=UTC)),
        ("2y", datetime(2022, 3, 31, 12, tzinfo=UTC)),
    ],
)
def test_an_age_is_what_the_calendar_says(written: str, then: datetime) -> None:
    """A month ends on its last day, and two years are not 730 days."""
    age = ages.parse(written)

    assert (str(age), age.before(NOW)) == (written, then)


@pytest.mark.parametrize(
    "written", ["", "90", "d", "0d", "-1d", "1.5y", "90 d", "90D", "2years", "101y", "99999d", "1h", "٩d", "1d "]
)
def test_an_invalid_age_is_refused_with_a_sentence(written: str) -> None:
    """A typing error must not delete anything."""
    with pytest.raises(AgeError, match="is not an age: write a number of days, weeks, months or years, such as 90d"):
        ages.parse(written)
