import logging
import traceback
from collections.abc import Callable

import pytest

from api.gateway import errors
from api.gateway.client import SakClient
from api.gateway.settings import SakSettings
from dev.gateway.misbehaviour import Misbehaviour, MisbehaviourKind
from dev.gateway.server import PretendGateway

URL = "http://127.0.0.1:9/whatsapp-webhook"
CALLS: list[Callable[[SakClient], object]] = [
    lambda client: client.list_webhooks(),
    lambda client: client.send_text("919811000009", "hello"),
    lambda client: client.session_status(),
    lambda client: client.register_webhook(URL),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["answer", "reset", "garbage", "cut"])
def test_no_log_and_no_error_holds_a_token_or_a_key(
    call: Callable[[SakClient], object],
    kind: MisbehaviourKind,
    gateway: PretendGateway,
    client: SakClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """More people read the logs than may use the token, and a gateway may repeat the token in its errors."""
    caplog.set_level(logging.DEBUG)
    account = gateway.account
    words = f"bad token {account.jwt}\nor key {account.api_key}"
    gateway.misbehave(Misbehaviour(kind, times=None, status=401, code=account.jwt, message=words))
    with pytest.raises(errors.GatewayError) as failure:
        call(client)
    output = "".join(traceback.format_exception(failure.value)) + repr(failure.value) + caplog.text

    assert "urllib3" in caplog.text
    assert account.jwt not in output
    assert account.api_key not in output


def test_no_representation_shows_a_secret(settings: SakSettings, client: SakClient) -> None:
    """Tracebacks and debuggers print the result of repr."""
    registered = client.register_webhook(URL)
    shown = f"{settings!r} {client!r} {registered!r}"

    assert settings.jwt is not None
    assert settings.jwt not in shown
    assert settings.api_key is not None
    assert settings.api_key not in shown
    assert registered.secret not in shown


def test_a_webhooks_secret_is_not_logged(client: SakClient, caplog: pytest.LogCaptureFixture) -> None:
    """The secret is in the body of a response, which some libraries log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    registered = client.register_webhook(URL)

    assert registered.secret not in caplog.text
