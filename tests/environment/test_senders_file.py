"""Tests the contents of senders.toml, and the messages about errors in it."""

from pathlib import Path

import pytest

from environment import senders_file
from environment.senders_file import Sender
from telemetry.errors import SettingsError

SECRET = "made-up-for-tests"


def test_a_file_names_senders_in_sections(tmp_path: Path) -> None:
    """Editors on Windows write a byte order mark."""
    file = tmp_path / "senders.toml"
    file.write_text(
        f"""\ufeff
        [shop]
        kind = "waha"
        secrets = ["{SECRET}", "X-Token: {SECRET}", "{SECRET}"]
        base_url = "http://127.0.0.1:3000/"
        api_key = "k"
        account = "+91 98110-00001"

        [cloud]
        kind = "meta"
        secrets = ["{SECRET}"]
        verify_token = "t"
        """,
        encoding="utf-8",
    )

    assert senders_file.read_all({"SENDERS_FILE": str(file)}) == {
        "shop": Sender(
            "shop", "waha", (SECRET, f"X-Token: {SECRET}"), None, "http://127.0.0.1:3000", "k", "919811000001"
        ),
        "cloud": Sender("cloud", "meta", (SECRET,), "t"),
    }
    assert SECRET not in repr(senders_file.read(file))
    assert senders_file.read_all({"DATA_DIR": str(tmp_path / "nothing")}) == {}


def test_variables_name_one_sender(tmp_path: Path) -> None:
    environ = {
        "DATA_DIR": str(tmp_path),
        "SENDER_NAME": "shop",
        "SENDER_KIND": "gowa",
        "SENDER_SECRETS": f"{SECRET},other",
        "SENDER_ACCOUNT": "919811000001",
    }
    expected = Sender("shop", "gowa", (SECRET, "other"), account="919811000001")

    assert senders_file.read_all(environ) == {"shop": expected}
    (tmp_path / "senders.toml").write_text(f'[shop]\nkind = "waha"\nsecrets = ["{SECRET}"]\n')
    with pytest.raises(match=r"shop is in senders\.toml and in the variable SENDER_NAME"):
        senders_file.read_all(environ)
    with pytest.raises(match=r"SENDER_KIND, …: \[shop\]: secrets must be a list"):
        senders_file.from_environ({**environ, "SENDER_SECRETS": " , "})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[shop", "senders.toml is not TOML: "),
        ("x = " + "9" * 5000, "senders.toml is not TOML: "),
        ("x = " + "[" * 5000, "senders.toml is not TOML: "),
        ('kind = "waha"', "senders.toml: kind stands outside of a section such as [shop]."),
        ('["a b"]\nkind = "waha"', "[a b]: a name has at most 64 letters"),
        ("[shop]", "[shop]: kind is missing: it must be one of sak, meta, "),
        ('[shop]\nkind = "wahaa"', '[shop]: kind is "wahaa": it must be one of sak, meta, '),
        ("[shop]\nkind = 7", "[shop]: kind must be a text"),
        ('[shop]\nkind = "waha"', "[shop]: secrets must be a list of at least one text"),
        ('[shop]\nkind = "waha"\nsecrets = "x"', "[shop]: secrets must be a list of at least one text"),
        ('[shop]\nkind = "waha"\nsecrets = []', "[shop]: secrets must be a list of at least one text"),
        ('[shop]\nkind = "waha"\nsecrets = ["x", " "]', "[shop]: secrets has an entry that is empty"),
        ('[shop]\nkind = "waha"\nsecrets = [7]', "[shop]: secrets has an entry that is empty"),
        ('[shop]\nkind = "gowa"\nsecrets = ["secret"]', "[shop]: secrets has a well-known default"),
        ('[shop]\nkind = "waha"\nsecrets = ["X-Token: secret"]', "[shop]: secrets has a well-known default"),
        ('[shop]\nkind = "meta"\nsecrets = ["X-Token: x"]', "[shop]: secrets has a header, which this kind"),
        ('[shop]\nkind = "waha"\nsecrets = ["x"]\nverify_token = "t"', "[shop]: verify_token is for kind meta"),
        ('[shop]\nkind = "waha"\nsecrets = ["x"]\nbase_url = "shop"', "[shop]: base_url must be an address"),
        ('[shop]\nkind = "waha"\nsecrets = ["x"]\naccount = "Asha"', "[shop]: account must be a phone number"),
        ('[shop]\nkind = "waha"\nsecrets = ["x"]\napi_key = ""', "[shop]: api_key must be a text that is not empty"),
        ('[shop]\nkind = "waha"\nsecret = ["x"]', "[shop]: secret is no key of a sender; there are kind, secrets,"),
    ],
)
def test_a_mistake_is_a_sentence_with_the_file_the_section_and_the_key(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        senders_file.parse(text, "senders.toml")

    assert sentence in str(raised.value)
    assert '"x"' not in str(raised.value)
