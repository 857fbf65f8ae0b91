"""Builds SAK's success and error responses, and its response to an unknown caller."""

from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from dev.gateway.account import GatewayAccount


class PretendGatewayError(HTTPException):
    """A response of the form `{success: false, error: {code, message}}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


def success(data: object, status: int = 200) -> JSONResponse:
    return JSONResponse({"success": True, "data": data}, status)


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"success": False, "error": {"code": code, "message": message}}, status, headers)


async def handle_error(_request: Request, exception: Exception) -> JSONResponse:
    """Return the response for an exception, including the framework's own 404 and 405."""
    if isinstance(exception, PretendGatewayError):
        return error(exception.status_code, exception.code, exception.detail)
    assert isinstance(exception, HTTPException)
    return error(exception.status_code, "NOT_FOUND", exception.detail)


def require_token(request: Request, account: GatewayAccount) -> None:
    """Reject a request without the owner's JWT, like SAK's calls for webhooks and sessions."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token:
        raise PretendGatewayError(401, "NO_TOKEN", "Authentication token required")
    if token != account.jwt:
        raise PretendGatewayError(401, "AUTH_FAILED", "Authentication failed")


def require_key(request: Request, account: GatewayAccount, session_in_body: object = None) -> None:
    """Reject a request without a key that implies a session, like SAK's calls for messages."""
    key = request.headers.get("x-api-key")
    if not key:
        raise PretendGatewayError(401, "NO_API_KEY", "API key required in x-api-key header")
    if key == account.api_key:
        return
    if key != account.user_key:
        raise PretendGatewayError(403, "INVALID_API_KEY", "Invalid or inactive API key")
    session = request.headers.get("x-session-id") or request.query_params.get("sessionId") or session_in_body
    if not session:
        raise PretendGatewayError(400, "SESSION_ID_REQUIRED", "sessionId is required (provide x-session-id header)")
    if session != account.session_id:
        raise PretendGatewayError(403, "INVALID_SESSION", "Invalid or inactive session for this API key")


def iso_now() -> str:
    """Return the current time in SAK's format: ISO 8601 with milliseconds and Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
