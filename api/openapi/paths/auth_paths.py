"""Describes signing in and out (api/auth)."""

from api.openapi import spec
from api.openapi.spec import Schema

_CALLER = {"200": spec.success("The caller. Set-Cookie contains the cookie.", spec.ref("Caller")), **spec.errors()}
_SIGNED_OUT = {"200": spec.success("Signed out.", {"type": "object"}), **spec.errors()}

PATHS: Schema = {
    "/api/session": {
        "get": {"summary": "Get the signed-in caller.", "responses": _CALLER},
        "post": {"summary": "Sign in: exchange a token for a cookie.", "responses": _CALLER},
        "delete": {"summary": "Sign out: invalidate the cookie.", "responses": _SIGNED_OUT},
    },
}
