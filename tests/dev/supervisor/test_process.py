import asyncio
import os

from dev.embedded import child_process
from dev.supervisor.process import ProcessSpec, SupervisedProcess


def words_of(module: str, count: int) -> list[str]:
    """The first lines that a program and its supervisor log."""
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
    """RQ's worker quits with code 0 when Redis fails it; and what fails at once must not burn a core."""
    # A module that has nothing to do ends at once, and well.
    logged = words_of("dev.errors", 3)

    assert logged[:3] == [f"ended with exit code 0; restarting in {pause:g} s" for pause in (0.1, 0.2, 0.4)]


def test_the_output_of_a_program_is_passed_on_line_by_line() -> None:
    """Its reasons must reach the terminal, the last one above all, even without an end of line."""
    logged = words_of("this", 21)

    assert logged[0] == "The Zen of Python, by Tim Peters"
    assert logged[20].startswith("Namespaces are one honking great idea")


def test_an_orphan_is_only_ended_when_it_is_still_the_same_program() -> None:
    """Process ids are used again: the number in an old file may now be somebody's editor."""
    child_process.stop_orphan(os.getpid(), "a program that this is not")

    assert os.getpid()
