"""Defines errors that become responses, with a sentence for people and a code for programs."""

from collections.abc import Mapping


class ApiError(Exception):
    """An error raised below an endpoint, which becomes an error response (api/http/responses.py)."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def bad_request(code: str, message: str) -> ApiError:
    """Return the error for a request that fails again in the same way if it is repeated."""
    return ApiError(400, code, message)


def bad_parameter(message: str) -> ApiError:
    """Return the error for an invalid parameter or field of a body."""
    return bad_request("bad_parameter", message)
