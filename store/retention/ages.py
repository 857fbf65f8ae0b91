"""Parses ages such as 90d, 12w, 18m and 2y."""

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, cast

AgeUnit: TypeAlias = Literal["d", "w", "m", "y"]
_AGE_PATTERN = re.compile(r"([0-9]{1,5})([dwmy])", re.ASCII)
_MAX_DAYS = 100 * 366


class AgeError(Exception):
    """The text is not an age. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Age:
    count: int
    unit: AgeUnit

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def before(self, moment: datetime) -> datetime:
        """Return the time that is this age before `moment`. Months and years are calendar units."""
        if self.unit in ("d", "w"):
            return moment - timedelta(days=self.count * (7 if self.unit == "w" else 1))
        months = moment.year * 12 + moment.month - 1 - self.count * (12 if self.unit == "y" else 1)
        year, month = months // 12, months % 12 + 1
        return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def parse(text: str) -> Age:
    """Return the age given by the text. Raises AgeError."""
    match = _AGE_PATTERN.fullmatch(text)
    days = {"d": 1, "w": 7, "m": 30, "y": 365}
    if match is None or not 1 <= int(match[1]) * days[match[2]] <= _MAX_DAYS:
        raise AgeError(
            f"{text!r} is not an age: write a number of days, weeks, months or years, such as 90d, 12w, 18m or 2y,"
            " at most a hundred years."
        )
    return Age(int(match[1]), cast("AgeUnit", match[2]))
