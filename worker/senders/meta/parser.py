"""Parses a request from Meta, which may contain a thousand messages of several numbers.

Each number of the business is a session, named by its `phone_number_id`. The items of a request are independent, so one
that cannot be read does not affect the others.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from store.model import addresses
from store.model.facts import Fact, Outcome, SessionFacts, SessionReport
from worker.senders import events, results
from worker.senders.meta import changes
from worker.senders.meta.changes import ItemReader, MetaChange
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject

_OBJECT: Final = "whatsapp_business_account"
_SAMPLE_ACCOUNT: Final = "0"
"""The account in the samples that Meta's dashboard sends."""
_LISTS: Final = ("messages", "statuses", "message_echoes", "history", "state_sync")
"""The lists whose items have ids and times."""

_READERS: Final[dict[str, Callable[[MetaChange], Iterator[ItemReader]]]] = {
    "messages": changes.messages,
    "smb_message_echoes": changes.echoes,
    "history": changes.history,
    "smb_app_state_sync": changes.contacts,
}
_NOISE: Final[dict[str, Reason]] = {
    "calls": Reason.CALL,
    **dict.fromkeys(("group_lifecycle_update", "group_participants_update"), Reason.GROUP_CHANGE),
    **dict.fromkeys(("group_settings_update", "group_status_update"), Reason.GROUP_CHANGE),
    **dict.fromkeys(("account_alerts", "account_review_update", "account_settings_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("account_update", "automatic_events", "business_capability_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("business_status_update", "flows", "message_template_components_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("message_template_quality_update", "message_template_status_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("messaging_handovers", "partner_solutions", "standby"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("payment_configuration_update", "phone_number_name_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("phone_number_quality_update", "security", "template_category_update"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("template_correct_category_detection", "tracking_events"), Reason.GATEWAY_NOTICE),
    **dict.fromkeys(("user_id_update", "user_preferences"), Reason.GATEWAY_NOTICE),
}


class _Reading:
    """The result of the changes that were read so far."""

    def __init__(self) -> None:
        self.facts: dict[str, list[Fact]] = {}
        """The facts about each session, in the order in which the request names the sessions."""
        self.reasons: list[Reason] = []
        """The reasons of the items that contain no facts."""
        self.field: str | None = None
        """The field of the first change."""
        self.session_id: str | None = None

    def add(self, field: str | None, value: JsonObject | None) -> None:
        """Read one change."""
        metadata = json_document.object_at(value or {}, "metadata")
        session_id = text.identifier(metadata.get("phone_number_id"))
        self.field = self.field or field
        self.session_id = self.session_id or session_id
        if field is None or value is None:
            self.reasons.append(Reason.NO_EVENT if field is None else Reason.UNKNOWN_SHAPE)
            return
        reader = _READERS.get(field)
        if reader is None or session_id is None:
            reason = _NOISE.get(field, Reason.UNKNOWN_EVENT) if reader is None else Reason.NO_SESSION
            self.reasons.append(reason)
            return
        own_phone = addresses.parse_phone(metadata.get("display_phone_number"))
        facts = [fact for item in reader(MetaChange(value, own_phone)) for fact in self._facts(item)]
        if facts:
            known = self.facts.setdefault(session_id, [])
            known += facts
            if own_phone is not None and not any(isinstance(fact, SessionReport) for fact in known):
                known.append(SessionReport(None, own_phone, next((fact.time for fact in facts if fact.time), None)))

    def _facts(self, item: ItemReader) -> tuple[Fact, ...]:
        try:
            return item()
        except NoFactsError as error:
            self.reasons.append(error.reason)
            return ()

    def outcome(self) -> Outcome:
        """Return the outcome of all changes."""
        if self.facts:
            (session_id, facts), *others = self.facts.items()
            time = next((fact.time for fact in facts if fact.time is not None), None)
            further = tuple(SessionFacts(session_id, tuple(facts)) for session_id, facts in others)
            return Outcome("stored", None, session_id, self.field, time, tuple(facts), further)
        reason = events.most_relevant_reason(self.reasons)
        return Outcome(reason.kind, reason.value, self.session_id, self.field, None)


def parse(body: bytes) -> ParseResult:
    """Parse one request. Never raises. Time and memory are proportional to the length of the body."""
    try:
        fields = json_document.decode(body)
    except NoFactsError as error:
        return results.without_facts(error.reason)
    if fields.get("object") != _OBJECT:
        return results.without_facts(Reason.FOREIGN_ENVELOPE)
    entries = json_document.objects(fields.get("entry"))
    reading = _Reading()
    for entry in entries:
        for change in _changes(entry):
            reading.add(text.label(change.get("field")), json_document.as_object(change.get("value")))
    if entries and all(entry.get("id") == _SAMPLE_ACCOUNT for entry in entries):
        outcome = Outcome("ping", None, None, reading.field, None)
    else:
        outcome = reading.outcome()
    return ParseResult(outcome, _is_self_identifying(entries))


def _is_self_identifying(entries: Sequence[JsonObject]) -> bool:
    """Return whether the request contains an item with an id and a time, or a time of its own."""
    values = (json_document.object_at(change, "value") for entry in entries for change in _changes(entry))
    if any(json_document.objects(value.get(name)) for value in values for name in _LISTS):
        return True
    return any(entry.get("time") for entry in entries)


def _changes(entry: JsonObject) -> Sequence[JsonObject]:
    return json_document.objects(entry.get("changes"))
