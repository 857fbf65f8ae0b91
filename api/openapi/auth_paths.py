"""Describes signing in and out (api/auth)."""

from api.openapi.builders import Schema, error_responses, schema_ref, success_response

_CALLER_RESPONSE = success_response("The caller; Set-Cookie has the cookie.", schema_ref("Caller"))

PATHS: Schema = {
    "/api/session": {
        "get": {
            "summary": "Get the signed-in caller.",
            "responses": {"200": _CALLER_RESPONSE, **error_responses()},
        },
        "post": {
            "summary": "Sign in: exchange a token for a cookie.",
            "responses": {"200": _CALLER_RESPONSE, **error_responses()},
        },
        "delete": {
            "summary": "Sign out: invalidate the cookie.",
            "responses": {"200": success_response("Signed out.", {"type": "object"}), **error_responses()},
        },
    },
}
