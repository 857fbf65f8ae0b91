"""Runs `python -m api sak …` within the test's process."""

import argparse
from collections.abc import Mapping

from api.commands import sak


def run_sak(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Return the exit code of a command."""
    parser = argparse.ArgumentParser(prog="python -m api")
    sak.add_parser(parser.add_subparsers(dest="group", required=True))
    return sak.run(parser.parse_args(["sak", *arguments]), environ)
