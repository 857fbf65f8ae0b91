"""`GET /api/audit`: lists changes and attempted changes with their callers, for admins of all sessions."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.http import cursors, database, parameters, responses
from store.reading import audit_log

_CURSOR_KIND = "audit"
_DEFAULT_LIMIT = 50


def list_audit(request: Request) -> Response:
    """Respond with a page of the audit log, newest first."""
    caller = access.caller(request)
    caller.require_scope("admin")
    caller.require_all_sessions("The audit log")
    limit = parameters.limit(request, _DEFAULT_LIMIT)
    (before,) = cursors.requested(request, "cursor", _CURSOR_KIND, int) or (None,)
    entries, last = database.from_request(request).read_primary(
        lambda connection: audit_log.read_page(connection, before, limit)
    )
    cursor = cursors.to_json(_CURSOR_KIND, None if last is None else (last,))
    return responses.success(f'{{"entries":[{",".join(entries)}],"cursor":{cursor}}}')
