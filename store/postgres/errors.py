"""Translates errors of PostgreSQL into two kinds: transient errors, and permanent errors caused by the data."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

# Classes of SQLSTATE that are caused by the data, so that the same statement always fails.
# https://www.postgresql.org/docs/18/errcodes-appendix.html
_DATA_ERROR_CLASSES = frozenset({"21", "22", "23", "44"})
_DATA_ERROR_CODES = frozenset({"54000", "54001", "54011"})  # a value exceeds a limit of PostgreSQL


class StoreError(Exception):
    """A failed operation. `sqlstate` is PostgreSQL's code, or None if there was no answer."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class TransientError(StoreError):
    """A server, network, lock, disk or migration caused the failure. The same operation may succeed later."""


class PermanentError(StoreError):
    """The data caused the failure. The same operation cannot succeed."""


def is_permanent(sqlstate: str | None) -> bool:
    """Return True if the data caused the error.

    Unknown codes count as transient, so that no events are parked because of an outage.
    """
    return sqlstate is not None and (sqlstate[:2] in _DATA_ERROR_CLASSES or sqlstate in _DATA_ERROR_CODES)


@contextmanager
def translated() -> Generator[None]:
    """Translate psycopg's errors, keeping the cause. Messages contain no value and no password."""
    try:
        yield
    except OverflowError as error:
        # A number in a row of COPY exceeds the type of its column.
        raise PermanentError("PostgreSQL: NumericValueOutOfRange (22003)", "22003") from error
    except psycopg.DataError as error:
        # psycopg rejects some values without a code, such as a NUL in text.
        raise PermanentError(_message(error), error.sqlstate) from error
    except psycopg.Error as error:
        kind = PermanentError if is_permanent(error.sqlstate) else TransientError
        raise kind(_message(error), error.sqlstate) from error


def _message(error: psycopg.Error) -> str:
    return f"PostgreSQL: {type(error).__name__}" + (f" ({error.sqlstate})" if error.sqlstate else "")
