"""Draws bodies with hostile values in place of some of their own, for tests of any parser."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]
"""The keys of objects and the positions in lists that lead to a value."""

_WORDS = [
    *("", " ", "\x00", "\ud800", "a\udfffb", "😀", "x" * 70_000, "9" * 5_000, "@", "x@lid", "+", "0", "-1", "NaN"),
    *("919811000001", "919811000001:22@s.whatsapp.net", "200000000000011@lid", "120363041234567890@g.us"),
    *("status@broadcast", "120363999999@newsletter", "IN.16480000000013", "false_x_y", "true__", "true_1@c.us_A_1@lid"),
    *("2024-12-19T15:10:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1734621000", "1e999"),
]
_NUMBERS = [0, -1, 1, 3, 14, 1734621000, 1734621000123, 2**31, 2**63, 10**30, 10**400, 919811000001, 1e308, -0.0, 0.5]
_values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(_WORDS) | st.sampled_from(_NUMBERS) | st.text(max_size=10) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "message", "a"]), inner),
    max_leaves=6,
)


@st.composite
def variants(draw: st.DrawFn, bodies: Sequence[bytes]) -> bytes:
    """Draw one of the bodies with up to six of its values replaced or dropped."""
    document: Any = copy.deepcopy(json.loads(draw(st.sampled_from(bodies))))
    for _ in range(draw(st.integers(1, 6))):
        *way, key = draw(st.sampled_from(_paths(document)))
        place = document
        for step in way:
            place = place[step]
        if draw(st.booleans()) or isinstance(place, list):
            place[key] = draw(_values)
        else:
            del place[key]
        if not document:
            break
    return json.dumps(document).encode()


def _paths(value: Any, above: Path = ()) -> list[Path]:  # noqa: ANN401 - JSON
    """Yield the path of each value in a document."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
    return [path for key, inner in items for path in ((*above, key), *_paths(inner, (*above, key)))]
