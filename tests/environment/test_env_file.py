"""Tests `.env` as people, shells and Windows write it."""

import contextlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environment import env_file, variables
from environment.env_file import EnvFileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_it_is_read_as_people_write_it(file: Path) -> None:
    """The file is copied from a README, a hosting service or a shell script."""
    file.write_text(
        "# a remark\n\nPLAIN=one\nexport EXPORTED=two\nQUOTED=\"three # four\"\nSINGLE='five'\n"
        "REMARKED=six # seven\nEMPTY=\n SPACED = eight \nURL=postgresql://app@db/history?sslmode=require\n"
    )

    assert env_file.read(file) == {
        "PLAIN": "one",
        "EXPORTED": "two",
        "QUOTED": "three # four",
        "SINGLE": "five",
        "REMARKED": "six",
        "EMPTY": "",
        "SPACED": "eight",
        "URL": "postgresql://app@db/history?sslmode=require",
    }


def test_a_number_sign_begins_a_remark_only_after_a_space(file: Path) -> None:
    """A truncated password is a wrong password."""
    file.write_text("API_TOKEN=made-up-to#ken\nSAK_API_KEY=key#1 # of the shop\nDOLLAR=a${HOME}$b\n")

    assert env_file.read(file) == {"API_TOKEN": "made-up-to#ken", "SAK_API_KEY": "key#1", "DOLLAR": "a${HOME}$b"}


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfAPI_PORT=3001\r\nHOST=::\r\n", b"\xef\xbb\xbfAPI_PORT=3001\nHOST=::"]
)
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_a_variable(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert env_file.read(file) == {"API_PORT": "3001", "HOST": "::"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("API_PORT=3001\r\n".encode("utf-16"), r"is UTF-16.*save it as UTF-8\.$"),
        ("API_PORT=3001\r\n".encode("utf-16-le"), r"is UTF-16.*save it as UTF-8\.$"),
        ("SAK_PHONE=é\n".encode("latin-1"), r"is not UTF-8: save it as UTF-8\.$"),
        (b"GOOD=1\nwhat is this\n", r"line 2 is not NAME=value\.$"),
        (b"GOOD=1\n\n\nALONE\n", r"line 4 is not NAME=value\.$"),
        (b'GOOD=1\nOPEN="private\nNEXT=2\n', r"line 2 is not NAME=value\.$"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(file: Path, content: bytes, sentence: str) -> None:
    """It would be worse to ignore a setting silently. The sentence does not quote the password."""
    file.write_bytes(content)

    with pytest.raises(EnvFileError, match=sentence) as error:
        env_file.read(file)
    assert "private" not in str(error.value)


def test_without_a_file_there_are_no_variables(file: Path) -> None:
    assert env_file.read(file) == {}


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="'\\"), max_size=40))
def test_whatever_stands_between_single_quotes_is_the_value(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text(f"BEFORE=1\nNAME='{value}' # remark\nAFTER=2\n", encoding="utf-8")

    assert env_file.read(file) == {"BEFORE": "1", "NAME": value, "AFTER": "2"}


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_bytes(content)
    with contextlib.suppress(EnvFileError):
        assert all("\0" not in name + value for name, value in env_file.read(file).items())


def test_a_secret_is_added_and_other_lines_remain_as_they_are(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf# ours\r\nWEBHOOK_SECRETS="oldest,old"  # two\r\nSAK_API_KEY=key#1')

    assert env_file.add_secret(file, "new")
    assert file.read_bytes() == b"# ours\r\nSAK_API_KEY=key#1\nWEBHOOK_SECRETS=new,oldest,old\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not env_file.add_secret(file, "new")
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "content",
    ['WEBHOOK_SECRETS="old #1"\nHOST=::\n', "WEBHOOK_SECRETS='a b'\n", 'OPEN="private\nWEBHOOK_SECRETS=old\n'],
)
def test_no_secret_is_added_where_others_would_change(file: Path, content: str) -> None:
    """Without quotation marks, these values would be read differently."""
    file.write_text(content)

    with pytest.raises(EnvFileError):
        env_file.add_secret(file, "new")
    assert file.read_text() == content


@pytest.mark.parametrize(
    "secret",
    [
        *("", "x\nAPI_TOKEN=mine", "x\rAPI_TOKEN=mine", "x\x85API_TOKEN=mine", "x\u2028API_TOKEN=mine", "x\x0bA=mine"),
        *("mine, too", "mine#1", "mine$HOME", "'mine'", '"mine"', "mine,another", "mine\\n", "\u00fcmine", "mine\0"),
        "mine" * 129,
    ],
)
def test_a_secret_that_a_shell_would_read_otherwise_is_not_written(file: Path, secret: str) -> None:
    """The secret is an answer of the gateway. One with line breaks wrote `API_TOKEN=` into the file."""
    file.write_text("HOST=::\n")

    with pytest.raises(EnvFileError, match="nothing was written") as error:
        env_file.add_secret(file, secret)
    assert file.read_text() == "HOST=::\n"
    assert "mine" not in str(error.value)


def test_a_command_prefers_its_own_environment_to_the_file(file: Path) -> None:
    file.write_text("DATA_DIR=/from/file\nHOST=::\n")
    environ = {"DATA_DIR": "/from/environment", "API_TOKEN": '"quoted-by-docker"'}

    assert variables.of_command(environ, file.parent) == {
        "DATA_DIR": "/from/environment",
        "HOST": "::",
        "API_TOKEN": "quoted-by-docker",
    }
