from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.embedded.postgres import Postgres
from dev.embedded.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Servers:
    """Both embedded servers, on two homes below one folder."""

    postgres: Postgres
    valkey: Valkey

    @classmethod
    def ephemeral(cls, folder: Path) -> Self:
        return cls(Postgres(folder / "postgres", ephemeral=True), Valkey(folder / "valkey", ephemeral=True))

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
