"""What the doctor says of one thing: a word that a monitor understands, a sentence, and what to do."""

from dataclasses import asdict, dataclass
from typing import Literal, Self, TypeAlias, cast, get_args

Answer: TypeAlias = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    """What was looked at: words with dots, the same in every version."""
    answer: Answer
    sentence: str
    """Without a secret, an address or a word of a message."""
    cure: str | None = None
    """What to do; None where there is nothing to do."""

    def document(self) -> dict[str, object]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is no finding."""
        if document["answer"] not in get_args(Answer):
            raise ValueError("no answer")
        cure = document.get("cure")
        return cls(
            str(document["name"]),
            cast("Answer", document["answer"]),
            str(document["sentence"]),
            None if cure is None else str(cure),
        )


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, "ok", sentence)


def warning(name: str, sentence: str, cure: str) -> Finding:
    return Finding(name, "warning", sentence, cure)


def broken(name: str, sentence: str, cure: str) -> Finding:
    return Finding(name, "broken", sentence, cure)


def above(  # noqa: PLR0913, PLR0917 - two bounds and what to say of them
    name: str, value: float, warn: float, break_: float, sentence: str, cure: str
) -> Finding:
    """Fine up to the first bound, broken above the second."""
    if value <= warn:
        return ok(name, sentence)
    return (broken if value > break_ else warning)(name, sentence, cure)
