import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from dev.embedded import child_process
from dev.embedded.postgres import EmbeddedPostgres
from dev.errors import StartError


def numbers(postgres: EmbeddedPostgres) -> list[int]:
    with psycopg.connect(postgres.url) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


def keep(postgres: EmbeddedPostgres, number: int) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def test_committed_data_survives_a_kill_and_a_stop(server_folder: Path) -> None:
    """The data must be kept between runs."""
    with EmbeddedPostgres(server_folder / "home") as postgres:
        keep(postgres, 1)
        postgres.kill()
        assert not postgres.running
        postgres.start()
        keep(postgres, 2)
        postgres.stop()
        postgres.start()

        assert numbers(postgres) == [1, 2]


def test_a_killed_server_comes_back_while_others_are_still_connected(server_folder: Path) -> None:
    """Its backends hold the shared memory a little longer, and until then PostgreSQL refuses to start."""
    with EmbeddedPostgres(server_folder / "home") as postgres:
        keep(postgres, 1)
        held = psycopg.connect(postgres.url)
        postgres.kill()
        postgres.start()
        held.close()

        assert numbers(postgres) == [1]


def test_a_server_that_is_killed_while_it_is_frozen_comes_back(server_folder: Path) -> None:
    with EmbeddedPostgres(server_folder) as postgres, psycopg.connect(postgres.url):
        for pid in postgres.process_ids():
            os.kill(pid, signal.SIGSTOP)
        postgres.kill()
        postgres.start()
        keep(postgres, 1)
        assert numbers(postgres) == [1]


def test_a_killed_server_that_nobody_reaped_is_replaced(server_folder: Path) -> None:
    """In a container without an init process, its process id stays in use, and PostgreSQL considers it alive."""
    program = (
        "import pathlib, sys; from dev.embedded.postgres import EmbeddedPostgres; "
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), ephemeral=True); server.start(); server.lock.release(); "
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(server_folder / "home")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        killed = int(owner.stdout.readline())
        os.kill(killed, signal.SIGKILL)

        with EmbeddedPostgres(server_folder / "home", ephemeral=True) as postgres:
            keep(postgres, 1)
            os.kill(killed, 0)  # its process id is still in use

            assert numbers(postgres) == [1]
        owner.kill()


def test_letters_beyond_ascii_are_letters(server_folder: Path) -> None:
    """Without a UTF-8 character class, search would silently find no Hindi, Arabic or Russian."""
    with EmbeddedPostgres(server_folder / "home") as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        cyrillic = connection.execute("SELECT similarity('ТЕСТ', 'тест')").fetchone()  # noqa: RUF001 - on purpose
        row = connection.execute("SELECT lower('ÄÖ'), array_length(show_trgm('हिन्दी'), 1) > 0").fetchone()

        assert cyrillic == (1.0,)
        assert row == ("äö", True)


def test_the_server_is_never_root(server_folder: Path) -> None:
    """PostgreSQL refuses to run as root, and COPY … TO PROGRAM would have root's permissions."""
    with EmbeddedPostgres(server_folder / "home") as postgres:
        assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0


def test_a_second_server_on_the_same_home_is_refused(server_folder: Path) -> None:
    with EmbeddedPostgres(server_folder / "home"), pytest.raises(StartError, match=f"in use by process {os.getpid()}"):
        EmbeddedPostgres(server_folder / "home").start()


def test_an_orphan_is_ended_and_its_data_taken_over(server_folder: Path) -> None:
    """If the system has no death signal, a killed supervisor leaves the server behind."""
    orphaned = EmbeddedPostgres(server_folder / "home")
    orphaned.start()
    keep(orphaned, 1)
    orphan = orphaned.pid
    orphaned.lock.release()

    with EmbeddedPostgres(server_folder / "home") as postgres:
        assert postgres.pid != orphan
        assert not orphaned.running
        assert numbers(postgres) == [1]
    orphaned.stop()


def test_settings_reach_the_server(server_folder: Path) -> None:
    """Fault tests and benchmarks need other limits than a laptop."""
    with (
        EmbeddedPostgres(server_folder / "home", ephemeral=True, settings={"max_connections": "17"}) as postgres,
        psycopg.connect(postgres.url) as connection,
    ):
        assert connection.execute("SHOW max_connections").fetchone() == ("17",)


def test_a_home_with_a_long_name_still_gets_a_socket(server_folder: Path) -> None:
    """The path of a socket is limited to about a hundred bytes, and a checkout may have a longer one."""
    long = server_folder / ("deep" * 20) / ("deeper" * 20)
    with EmbeddedPostgres(long, ephemeral=True) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("history",)
    shutil.rmtree(postgres.socket_folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's user cannot reach")
def test_root_may_keep_its_data_where_the_server_cannot_go(server_folder: Path) -> None:
    """In a container, the checkout is usually below /root. The data moves elsewhere, and a link refers to it."""
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(closed / "home", ephemeral=True)
    try:
        for number in (1, 2):
            with postgres:
                keep(postgres, number)
            postgres = EmbeddedPostgres(closed / "home", ephemeral=True)
        with postgres:
            assert numbers(postgres) == [1, 2]
        assert (closed / "home").is_symlink()
    finally:
        shutil.rmtree(postgres.folder)


def test_a_server_that_cannot_start_says_why(server_folder: Path) -> None:
    """With `did not start` alone, people would need to find the logs."""
    with pytest.raises(StartError, match="unrecognized configuration parameter"):
        EmbeddedPostgres(server_folder / "home", ephemeral=True, settings={"no_such_setting": "1"}).start()


def test_the_server_ends_with_its_parent(server_folder: Path) -> None:
    """This includes a server of another user, because changing the user clears the death signal."""
    program = (
        "import pathlib, sys, time; from dev.embedded.postgres import EmbeddedPostgres; "
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), ephemeral=True); server.start(); "
        "print(server.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(server_folder / "home")], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)

    assert child_process.wait_until(lambda: child_process.command_line(pid) == "", 10)
