"""Starts and stops both embedded servers together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Both embedded servers, in two folders below one."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    @classmethod
    def ephemeral(cls, folder: Path) -> Self:
        return cls(
            EmbeddedPostgres(folder / "postgres", ephemeral=True), EmbeddedValkey(folder / "valkey", ephemeral=True)
        )

    def start(self) -> None:
        self.valkey.start()
        try:
            self.postgres.start()
        except BaseException:
            self.valkey.stop()
            raise

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()
