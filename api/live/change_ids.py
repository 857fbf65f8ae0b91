"""Ids of changes: where a reader of the feed goes on, in this life of the database and no other."""

from typing import cast

from api.http import cursors
from api.http.errors import Refusal
from store.reading.change_feed import Delivery, Place

_CURSOR = "feed"


def seal(epoch: str, place: Place) -> str:
    return cursors.seal(_CURSOR, epoch, place.xid, place.change_id)


def unseal(name: str, text: str) -> tuple[str, Place]:
    """The epoch and the place; raises Refusal."""
    epoch, xid, change_id = cursors.unseal(_CURSOR, name, text, str, int, int)
    place = Place(cast("int", xid), cast("int", change_id))
    if place < Place(0, 0):
        raise Refusal(400, "bad_cursor", f"{name} is not a value that this API gave out.")
    return cast("str", epoch), place


def check(delivery: Delivery, epoch: str) -> None:
    """Raise Refusal if there is a gap between a reader of this epoch and the delivery."""
    if delivery.epoch != epoch:
        raise Refusal(410, "epoch_changed", "Restored, or somebody forgotten, since then: load everything again.")
    if delivery.pruned:
        raise Refusal(410, "changes_pruned", "Changes since then are no longer kept: load everything again.")
