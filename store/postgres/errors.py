"""The two kinds of failure that the store knows, and the one border where PostgreSQL's become them."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

# Classes of SQLSTATE that the data itself causes: the same statement fails the same way for ever.
# https://www.postgresql.org/docs/18/errcodes-appendix.html
_DATA_ERROR_CLASSES = frozenset({"21", "22", "23", "44"})
_DATA_ERROR_CODES = frozenset({"54000", "54001", "54011"})  # a value beyond a limit of the program


class StoreError(Exception):
    """Something between us and a COMMIT; `sqlstate` is PostgreSQL's code, None where there was no answer."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class TransientError(StoreError):
    """Servers, networks, locks, disks, migrations: it may go through later, unchanged."""


class PermanentError(StoreError):
    """The data: it will never go through."""


def is_permanent(sqlstate: str | None) -> bool:
    """Whether the data is to blame; what is not known to be its fault is not, so nothing is parked for a bad day."""
    return sqlstate is not None and (sqlstate[:2] in _DATA_ERROR_CLASSES or sqlstate in _DATA_ERROR_CODES)


@contextmanager
def translated() -> Generator[None]:
    """Turn psycopg's errors into ours, keeping the cause; messages carry no value and no password."""
    try:
        yield
    except psycopg.DataError as error:
        # psycopg refuses some values itself, without a code: a NUL in text, for one.
        raise PermanentError(_message(error), error.sqlstate) from error
    except psycopg.Error as error:
        kind = PermanentError if is_permanent(error.sqlstate) else TransientError
        raise kind(_message(error), error.sqlstate) from error


def _message(error: psycopg.Error) -> str:
    return f"PostgreSQL: {type(error).__name__}" + (f" ({error.sqlstate})" if error.sqlstate else "")
