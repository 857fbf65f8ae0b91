import asyncio
import os

from dev.embedded import child_process
from dev.supervisor.process import ProcessSpec, SupervisedProcess


def words_of(module: str, count: int) -> list[str]:
    """Return the first lines that a program and its supervisor log."""
    logged: list[str] = []

    async def watch() -> None:
        enough = asyncio.Event()

        def say(_name: str, line: str) -> None:
            logged.append(line)
            if len(logged) >= count:
                enough.set()

        process = SupervisedProcess(ProcessSpec("program", module, os.environ), say, say)
        process.start()
        await enough.wait()
        await process.stop(5, asyncio.Event())

    asyncio.run(watch())
    return logged


def test_a_program_is_started_again_whatever_its_exit_code_and_ever_more_slowly() -> None:
    """RQ's worker exits with code 0 if Redis fails, and a program that fails immediately must not occupy a core."""
    # A module without a main part ends at once, with code 0.
    logged = words_of("dev.errors", 3)

    assert logged[:3] == [f"ended with exit code 0; restarting in {pause:g} s" for pause in (0.1, 0.2, 0.4)]


def test_the_output_of_a_program_is_passed_on_line_by_line() -> None:
    """The reasons of a failure must be visible on the terminal, including a last line without an end of line."""
    logged = words_of("this", 21)

    assert logged[0] == "The Zen of Python, by Tim Peters"
    assert logged[20].startswith("Namespaces are one honking great idea")


def test_an_orphan_is_only_ended_when_it_is_still_the_same_program() -> None:
    """Process ids are reused, so the number in an old file may belong to another program."""
    child_process.stop_orphan(os.getpid(), "a program that this is not")

    assert os.getpid()
