"""Tests the settings of single sign-on."""

import pytest

from api.oidc.settings import OidcSettings
from telemetry.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ISSUER", "http://id.example"),
        ("OIDC_ISSUER", "https://user@id.example"),
        ("OIDC_CLIENT_ID", ""),
        ("OIDC_CLIENT_SECRET", ""),
        ("OIDC_REDIRECT_URL", ""),
        ("OIDC_REDIRECT_URL", "https://history.example/"),
        ("OIDC_REDIRECT_URL", "http://history.example/sign-in/callback"),
        ("OIDC_HOURS", "0"),
        ("OIDC_ALLOW", ""),
        ("OIDC_ALLOW", "asha"),
        ("OIDC_ALLOW", "asha=read"),
        ("OIDC_ALLOW", "group:=read"),
        ("OIDC_ALLOW", "asha@shop.example=root"),
    ],
)
def test_a_half_configuration_is_refused(name: str, value: str) -> None:
    environ = {
        "OIDC_ISSUER": "https://id.example",
        "OIDC_CLIENT_ID": "history",
        "OIDC_CLIENT_SECRET": "secret",
        "OIDC_REDIRECT_URL": "https://history.example/sign-in/callback",
        "OIDC_ALLOW": "asha@shop.example=read",
    }
    assert OidcSettings.from_environ(environ)

    with pytest.raises(SettingsError, match=name):
        OidcSettings.from_environ(environ | {name: value})
