"""A Valkey that loses its data."""

import shutil

from dev.embedded.valkey import EmbeddedValkey

DATA = "appendonlydir"
"""The folder in which Valkey has everything."""


def lose_everything(valkey: EmbeddedValkey) -> None:
    """Kill it and start it empty."""
    valkey.kill()
    shutil.rmtree(valkey.folder / DATA)
    valkey.start()
