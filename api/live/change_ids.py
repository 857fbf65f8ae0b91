"""Encodes positions in the change feed as ids of changes, which are valid within one epoch of the database."""

from api.http import cursors
from api.http.errors import ApiError
from store.reading.change_feed import FeedPage, FeedPosition

_CURSOR_KIND = "feed"


def encode(epoch: str, position: FeedPosition) -> str:
    return cursors.encode(_CURSOR_KIND, epoch, position.xid, position.change_id)


def decode(parameter: str, text: str) -> tuple[str, FeedPosition]:
    """Return the epoch and the position. Raises ApiError."""
    epoch, xid, change_id = cursors.decode(_CURSOR_KIND, parameter, text, str, int, int)
    position = FeedPosition(xid, change_id)
    if position < FeedPosition(0, 0):
        raise cursors.invalid(parameter)
    return epoch, position


def check_continuity(page: FeedPage, epoch: str) -> None:
    """Raise ApiError if changes are missing between a client of this epoch and the page."""
    if page.epoch != epoch:
        sentence = "The database was restored, or a person was erased, since then: load everything again."
        raise ApiError(410, "epoch_changed", sentence)
    if page.is_pruned:
        raise ApiError(410, "changes_pruned", "Changes since then were pruned: load everything again.")
