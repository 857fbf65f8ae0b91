"""Tests payloads with small errors, which get further into the parser than random data, at a hundred times the rate.

A mutant depends only on its number, so a failure can be reproduced.
"""

import json
import random

import pytest

from dev.checkout import ROOT
from tests.support.senders.outcome_checks import assert_storable
from worker.senders.sak import parser

PAYLOADS = ROOT / "tests" / "payloads"
PATHS = [path for path in sorted(PAYLOADS.glob("*/*.*")) if not path.name.endswith(".expected.json")]
BODIES = [path.read_bytes() for path in PATHS if path.parent.name != "queue"]
DOCUMENTS: list[object] = [json.loads(path.read_bytes()) for path in PATHS if path.suffix == ".json"]
VALUES: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        14,
        2**31,
        2**63,
        2**64,
        10**400,
        1e308,
        float("nan"),
        float("-inf"),
        [],
        {},
        [[]],
    ),
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "a\udfffb",
        "😀",
        "x" * 70_000,
        "\ud83d" * 300,
        "9" * 5_000,
        "@",
        "+",
        "0",
        "-1",
        "NaN",
    ),
    *(
        "919811000001",
        "200000000000011@lid",
        "120363041234567890@g.us",
        "status@broadcast",
        "1e999",
        "REVOKE",
        "REACTION",
    ),
    *("10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", {"low": -1, "high": -1}, {"id": "x"}, {"message": {}}),
]


def broken_bytes(number: int) -> bytes:
    """Return a payload with a few bytes changed, removed or inserted from another payload."""
    chance = random.Random(number)
    body = bytearray(chance.choice(BODIES))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(body))
        match chance.randrange(4):
            case 0:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del body[at : at + chance.randint(1, 40)]
            case 2:
                other = chance.choice(BODIES)
                begin = chance.randint(0, len(other))
                body[at:at] = other[begin : begin + chance.randint(1, 80)]
            case _:
                body[at:at] = bytes([chance.choice(b'"{}[]:,\\u0-\x00\xff')]) * chance.randint(1, 3)
    return bytes(body)


def broken_values(number: int) -> bytes:
    """Return a payload with some of its values replaced by hostile ones or by parts of other payloads."""
    chance = random.Random(number)
    return json.dumps(broken(chance, chance.choice(DOCUMENTS), chance.choice([0.05, 0.2, 0.5]))).encode()


def broken(chance: random.Random, value: object, share: float) -> object:
    if chance.random() < share / 2:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        fields = {str(name): broken(chance, inner, share) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
        if chance.random() < share:
            other = chance.choice(DOCUMENTS)
            fields |= other if isinstance(other, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
        return fields
    return value


@pytest.mark.parametrize("lot", range(4))
def test_a_payload_with_broken_bytes_has_an_outcome(lot: int) -> None:
    """The gateway may change, a proxy may cut the body, and others may know the secret."""
    for number in range(lot * 2_500, (lot + 1) * 2_500):
        assert_storable(parser.parse(broken_bytes(number)).outcome)


@pytest.mark.parametrize("lot", range(4))
def test_a_payload_with_hostile_values_has_an_outcome_that_can_be_stored(lot: int) -> None:
    """Any field may hold anything, and one value that PostgreSQL refuses would make its batch fail."""
    for number in range(lot * 2_500, (lot + 1) * 2_500):
        assert_storable(parser.parse(broken_values(number)).outcome)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("lot", range(20))
def test_very_many_broken_payloads_have_an_outcome_that_can_be_stored(lot: int) -> None:
    """This runs the previous tests for as long as CI's longer profile allows."""
    for number in range(100_000 + lot * 20_000, 100_000 + (lot + 1) * 20_000):
        assert_storable(parser.parse(broken_bytes(number)).outcome)
        assert_storable(parser.parse(broken_values(number)).outcome)
