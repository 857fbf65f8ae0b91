"""Ids of changes: where a reader of the feed goes on, in this life of the database and no other."""

from typing import cast

from api.http import cursors
from api.http.errors import ApiError
from store.reading.change_feed import FeedPage, FeedPosition

_CURSOR_KIND = "feed"


def encode(epoch: str, position: FeedPosition) -> str:
    return cursors.encode(_CURSOR_KIND, epoch, position.xid, position.change_id)


def decode(parameter: str, text: str) -> tuple[str, FeedPosition]:
    """The epoch and the place; raises Refusal."""
    epoch, xid, change_id = cursors.decode(_CURSOR_KIND, parameter, text, str, int, int)
    place = FeedPosition(cast("int", xid), cast("int", change_id))
    if place < FeedPosition(0, 0):
        raise ApiError(400, "bad_cursor", f"{parameter} is not a value that this API gave out.")
    return cast("str", epoch), place


def check_continuity(delivery: FeedPage, epoch: str) -> None:
    """Raise Refusal if there is a gap between a reader of this epoch and the delivery."""
    if delivery.epoch != epoch:
        raise ApiError(410, "epoch_changed", "Restored, or somebody forgotten, since then: load everything again.")
    if delivery.is_pruned:
        raise ApiError(410, "changes_pruned", "Changes since then are no longer kept: load everything again.")
