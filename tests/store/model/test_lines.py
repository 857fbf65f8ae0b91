"""No character from a stranger ends a line or hides in it."""

import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from store.model import lines


@given(st.text())
def test_json_is_one_line_for_every_reader(text: str) -> None:
    escaped = lines.escape_json(json.dumps({text: text}, ensure_ascii=False))

    assert len(escaped.splitlines()) == 1
    assert json.loads(escaped) == {text: text}


def test_escaped_text_contains_no_invisible_character() -> None:
    """Examples of hypothesis rarely contain one."""
    characters = map(chr, range(sys.maxunicode + 1))
    unseen = [c for c in characters if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]

    assert lines.escape_invisible("".join(unseen)).isascii()


@given(st.text())
def test_every_invisible_character_is_escaped(text: str) -> None:
    shown = lines.escape_invisible(text, keep="\n")

    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert shown.replace("\n", "").isprintable() or any(unicodedata.category(c) in {"Cn", "Co", "Zs"} for c in text)
    assert lines.escape_invisible("नमस्ते 😀 é") == "नमस्ते 😀 é"
