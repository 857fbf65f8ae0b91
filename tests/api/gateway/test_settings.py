import pytest

from api.gateway.settings import SakSettings
from telemetry.errors import SettingsError


def test_without_a_base_url_sak_is_not_configured() -> None:
    """Without a base URL the API works but cannot send."""
    assert SakSettings.from_environ({"SAK_JWT": "x"}) is None


def test_settings_are_read_from_the_environment() -> None:
    """A slash at the end of the URL, or spaces from a copied line, make no difference."""
    settings = SakSettings.from_environ(
        {
            "SAK_BASE_URL": " https://sak.example/api/v1/ ",
            "SAK_JWT": "token\n",
            "SAK_API_KEY": "key",
            "SAK_SESSION_ID": "session",
            "SAK_PHONE": "+91 98110 00009",
        }
    )

    assert settings == SakSettings("https://sak.example/api/v1", "token", "key", "session", "919811000009")


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SAK_BASE_URL": "sak.example"}, "SAK_BASE_URL"),
        ({"SAK_BASE_URL": "ftp://sak.example"}, "SAK_BASE_URL"),
        ({"SAK_BASE_URL": "https://user:hush@sak.example"}, "SAK_BASE_URL"),
        ({"SAK_BASE_URL": "https://sak.example/?key=hush"}, "SAK_BASE_URL"),
        ({"SAK_BASE_URL": "https://sak.example", "SAK_JWT": "hush hush"}, "SAK_JWT"),
        ({"SAK_BASE_URL": "https://sak.example", "SAK_API_KEY": "hush\x07hush"}, "SAK_API_KEY"),
    ],
)
def test_a_bad_setting_is_named_and_its_value_is_not_shown(environ: dict[str, str], named: str) -> None:
    """The message appears in a terminal, and may be copied into tickets."""
    with pytest.raises(SettingsError, match=named) as error:
        SakSettings.from_environ(environ)

    assert "hush" not in str(error.value)
