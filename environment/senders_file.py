"""Reads the senders that post to `/webhooks/NAME`, from `senders.toml` and from variables.

An error names the file, the section and the key, and contains no secret.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from environment import secret_list
from environment.sender_kinds import KINDS, PLACEHOLDERS, STATIC_HEADER_PATTERN, Scheme
from telemetry.errors import SettingsError

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KEYS: Final = ("kind", "secrets", "verify_token", "base_url", "api_key", "account")
_PHONE_PATTERN: Final = re.compile(r"\+?[0-9]{7,15}")
_VARIABLES: Final = "the variables SENDER_NAME, SENDER_KIND, …"


@dataclass(frozen=True, slots=True)
class Sender:
    """A gateway that posts to `/webhooks/NAME`."""

    name: str
    kind: str
    """A key of `sender_kinds.KINDS`."""
    secrets: tuple[str, ...] = field(repr=False)
    """Keys for HMAC or JWT, or `Header: value`. Each of them authenticates a webhook."""
    verify_token: str | None = field(default=None, repr=False)
    """The token that Meta's handshake must contain."""
    base_url: str | None = None
    """The address at which the gateway is called."""
    api_key: str | None = field(default=None, repr=False)
    """The key for calling the gateway."""
    account: str | None = None
    """The phone number of its sessions as digits, or None to use the one that they report."""

    @property
    def scheme(self) -> Scheme:
        return KINDS[self.kind]

    @property
    def id(self) -> str:
        """`kind:name`, as in stream entries and rows."""
        return f"{self.kind}:{self.name}"


def path(environ: Mapping[str, str]) -> Path:
    """Return SENDERS_FILE, or `senders.toml` in DATA_DIR. It need not exist."""
    return Path(environ.get("SENDERS_FILE") or Path(environ.get("DATA_DIR") or "var") / "senders.toml").absolute()


def read_all(environ: Mapping[str, str]) -> dict[str, Sender]:
    """Return the senders of the file and of the variables by name. Raises SettingsError."""
    return merge(read(path(environ)), from_environ(environ))


def merge(of_file: Mapping[str, Sender], of_environ: Sender | None) -> dict[str, Sender]:
    """Return the senders of both. Raises SettingsError if both have a sender with the same name."""
    if of_environ is None:
        return dict(of_file)
    if of_environ.name in of_file:
        raise SettingsError(f"The sender {of_environ.name} is in senders.toml and in the variable SENDER_NAME.")
    return {**of_file, of_environ.name: of_environ}


def from_environ(environ: Mapping[str, str]) -> Sender | None:
    """Return the sender given by variables, or None if SENDER_NAME is not set. Raises SettingsError."""
    name = environ.get("SENDER_NAME", "").strip()
    if not name:
        return None
    values: dict[str, object] = {
        "kind": environ.get("SENDER_KIND", ""),
        "secrets": cast("object", secret_list.split(environ.get("SENDER_SECRETS", ""))),
        "verify_token": environ.get("SENDER_VERIFY_TOKEN", ""),
        "base_url": environ.get("SENDER_BASE_URL", ""),
        "api_key": environ.get("SENDER_API_KEY", ""),
        "account": environ.get("SENDER_ACCOUNT", ""),
    }
    return sender(_VARIABLES, name, {key: value for key, value in values.items() if value or key == "secrets"})


def read(file: Path) -> dict[str, Sender]:
    """Return the senders in the file by name, or none if there is no file. Raises SettingsError."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8: save it as UTF-8.") from None
    return parse(text, str(file))


def parse(text: str, source: str) -> dict[str, Sender]:
    """Return the senders in a text by name. `source` names the text in errors. Raises SettingsError."""
    try:
        sections = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError includes numbers with thousands of digits
        raise SettingsError(f"{source} is not TOML: {error}.") from None
    senders: dict[str, Sender] = {}
    for name, values in sections.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{source}: {name} stands outside of a section such as [shop].")
        senders[name] = sender(source, name, cast("Mapping[str, object]", values))
    return senders


def sender(source: str, name: str, values: Mapping[str, object]) -> Sender:
    """Return the sender with these keys. `source` names their place in errors. Raises SettingsError."""
    place = f"{source}: [{name}]"
    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError(f"{place}: a name has at most 64 letters, digits, '-', '_' and '.'.")
    for key in values:
        if key not in KEYS:
            raise SettingsError(f"{place}: {key} is no key of a sender; there are {', '.join(KEYS)}.")
    kind = _text(place, values, "kind")
    if kind is None or kind not in KINDS:
        written = "missing" if kind is None else f'"{kind}"'
        raise SettingsError(f"{place}: kind is {written}: it must be one of {', '.join(KINDS)}.")
    scheme = KINDS[kind]
    verify_token = _text(place, values, "verify_token")
    if verify_token is not None and not scheme.has_handshake:
        raise SettingsError(f"{place}: verify_token is for kind meta, which alone has a handshake; remove it.")
    base_url = _text(place, values, "base_url")
    if base_url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", base_url):
        raise SettingsError(f"{place}: base_url must be an address that begins with http:// or https://.")
    account = _text(place, values, "account")
    if account is not None and not _PHONE_PATTERN.fullmatch(account := re.sub(r"[\s()-]", "", account)):
        raise SettingsError(f'{place}: account must be a phone number with its country code, such as "919811000001".')
    return Sender(
        name=name,
        kind=kind,
        secrets=_secrets(place, scheme, values.get("secrets")),
        verify_token=verify_token,
        base_url=None if base_url is None else base_url.rstrip("/"),
        api_key=_text(place, values, "api_key"),
        account=None if account is None else account.removeprefix("+"),
    )


def _text(place: str, values: Mapping[str, object], key: str) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"{place}: {key} must be a text that is not empty; remove the line to leave it out.")
    return value.strip()


def _secrets(place: str, scheme: Scheme, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise SettingsError(f'{place}: secrets must be a list of at least one text, such as ["…"].')
    secrets: list[str] = []
    for entry in cast("list[object]", value):
        if not isinstance(entry, str) or not entry.strip():
            raise SettingsError(f"{place}: secrets has an entry that is empty or no text.")
        secret = entry.strip()
        header = STATIC_HEADER_PATTERN.fullmatch(secret)
        if header is not None and not scheme.allows_static_header:
            raise SettingsError(f"{place}: secrets has a header, which this kind does not send; give its key.")
        if (secret if header is None else header[2]) in PLACEHOLDERS:
            raise SettingsError(f"{place}: secrets has a well-known default, which anybody could use; choose another.")
        secrets.append(secret)
    return tuple(dict.fromkeys(secrets))
