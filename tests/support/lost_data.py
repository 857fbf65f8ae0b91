"""Makes a Valkey lose its data."""

import shutil

from dev.embedded.valkey import EmbeddedValkey

DATA = "appendonlydir"
"""The folder that contains all data of Valkey."""


def lose_everything(valkey: EmbeddedValkey) -> None:
    """Kill Valkey and start it empty."""
    valkey.kill()
    shutil.rmtree(valkey.folder / DATA)
    valkey.start()
