"""Parses names of time zones. An ambiguous abbreviation is rejected with the names that it may mean."""

import functools
import zoneinfo
from collections.abc import Mapping, Sequence

from starlette.requests import Request

from api.http import errors, parameters
from api.http.errors import ApiError

MEANINGS: Mapping[str, Sequence[str]] = {
    "ACDT": ("Australia/Adelaide",),
    "ACST": ("Australia/Adelaide", "Australia/Darwin"),
    "ADT": ("America/Halifax",),
    "AEDT": ("Australia/Sydney", "Australia/Melbourne"),
    "AEST": ("Australia/Sydney", "Australia/Brisbane"),
    "AKDT": ("America/Anchorage",),
    "AKST": ("America/Anchorage",),
    "ART": ("America/Argentina/Buenos_Aires",),
    "AST": ("America/Halifax", "America/Puerto_Rico", "Asia/Riyadh"),
    "AWST": ("Australia/Perth",),
    "BDT": ("Asia/Dhaka", "Asia/Brunei"),
    "BRT": ("America/Sao_Paulo",),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "CAT": ("Africa/Maputo", "Africa/Harare"),
    "CDT": ("America/Chicago", "America/Havana"),
    "CEST": ("Europe/Berlin", "Europe/Paris", "Europe/Madrid"),
    "CLT": ("America/Santiago",),
    "COT": ("America/Bogota",),
    "CST": ("America/Chicago", "America/Mexico_City", "Asia/Shanghai", "America/Havana"),
    "EAT": ("Africa/Nairobi",),
    "EDT": ("America/New_York", "America/Toronto"),
    "EEST": ("Europe/Athens", "Europe/Kyiv", "Africa/Cairo"),
    "GST": ("Asia/Dubai",),
    "HKT": ("Asia/Hong_Kong",),
    "ICT": ("Asia/Bangkok", "Asia/Ho_Chi_Minh"),
    "IDT": ("Asia/Jerusalem",),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "MDT": ("America/Denver",),
    "MMT": ("Asia/Yangon",),
    "MSK": ("Europe/Moscow",),
    "MYT": ("Asia/Kuala_Lumpur",),
    "NPT": ("Asia/Kathmandu",),
    "NZDT": ("Pacific/Auckland",),
    "NZST": ("Pacific/Auckland",),
    "PDT": ("America/Los_Angeles",),
    "PET": ("America/Lima",),
    "PHT": ("Asia/Manila",),
    "PKT": ("Asia/Karachi",),
    "PST": ("America/Los_Angeles", "Asia/Manila"),
    "SAST": ("Africa/Johannesburg",),
    "SGT": ("Asia/Singapore",),
    "SLST": ("Asia/Colombo",),
    "TRT": ("Europe/Istanbul",),
    "WAT": ("Africa/Lagos",),
    "WEST": ("Europe/Lisbon",),
    "WIB": ("Asia/Jakarta",),
    "WIT": ("Asia/Jayapura",),
    "WITA": ("Asia/Makassar",),
}
"""The meanings of abbreviations that are not names in the time zone database, the most populous zone first."""


def requested(request: Request, parameter: str) -> str:
    """Return the name in the query as spelled in the time zone database, or UTC if it is absent or empty.

    Raises ApiError.
    """
    text = parameters.text(request, parameter)
    if text is None:
        return "UTC"
    name = _names_by_lower_case().get(text.lower())
    if name is None:
        raise unknown(parameter, text)
    return name


def unknown(parameter: str, text: str) -> ApiError:
    """Return the error for a text that is not the name of a time zone, with the names that it may mean."""
    meanings = MEANINGS.get(text.upper()) or [
        name for lower, name in sorted(_names_by_lower_case().items()) if lower.rpartition("/")[2] == text.lower()
    ]
    if not meanings:
        return errors.bad_parameter(f"{parameter} must be the name of a time zone, such as Asia/Kolkata.")
    *others, last = meanings
    listed = f"{', '.join(others)} or {last}" if others else last
    return errors.bad_parameter(
        f"{parameter} must be the name of a time zone: instead of {text.upper()}, give {listed}."
    )


@functools.cache
def _names_by_lower_case() -> Mapping[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}
