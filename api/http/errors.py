"""Errors that become responses: a sentence for people, a code for programs."""

from collections.abc import Mapping


class ApiError(Exception):
    """Raised anywhere below an endpoint; becomes the error envelope (api/http/responses.py)."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def bad_request(code: str, message: str) -> ApiError:
    """A request that fails the same way when it is repeated."""
    return ApiError(400, code, message)
