"""Generates hostile inputs for fuzzing, and decides how many of them are tried.

FUZZ_EXAMPLES is the number of inputs for each test. Inputs that failed in the past are explicit examples.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from dev.checkout import ROOT
from tests.support.senders import sender_payloads

T = TypeVar("T")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
PAYLOADS = ROOT / "tests" / "payloads"
CORPUS = {
    "sak": [path.read_bytes() for path in sorted(PAYLOADS.rglob("*.json"))],
    **{path.stem: [each.body for each in sender_payloads.load(path.stem)] for path in PAYLOADS.glob("senders/*.jsonl")},
}
"""Bodies that gateways send, by kind of sender."""
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("\0\t\r\n\x1b\x85\u200b\u202e\u2028\u2029\ufeff\ufdfa\u0301\u0316\U0001f600=+-@|,;\"'\\#"),
)
TEXTS = st.text(CHARACTERS, max_size=300)


def fuzz(function: Callable[..., T]) -> Callable[..., T]:
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=health)(function)


@st.composite
def bodies(draw: st.DrawFn, kind: str) -> bytes:
    """Draw a body of a gateway with parts cut out, repeated, moved or replaced."""
    body = bytearray(draw(st.sampled_from(CORPUS[kind])))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        replacement = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([b"null", b"{}", b"[]", b'"', b"-1", b"1e400", b'"\\ud800"', b"true", b"9" * 50]),
                st.sampled_from(
                    [b'"' + b"\xf0\x9f\x98\x80" * 70_000 + b'"', b"[" * 200, b'{"a":' * 200, b"%00", b"\r\n"]
                ),
                st.just(bytes(body[end : end + 200])),
            )
        )
        body[start:end] = replacement
    return bytes(body)
