"""What a caller did that cannot be answered, with a sentence for people and a code for programs."""

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """Raised anywhere below an endpoint; becomes the error envelope (api/http/responses.py)."""

    def __init__(self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.headers = dict(headers or {})


def bad(code: str, sentence: str) -> Refusal:
    """A request that will be as wrong the next time."""
    return Refusal(400, code, sentence)
