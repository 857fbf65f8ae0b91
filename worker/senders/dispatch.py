"""Parses and redacts a body according to its sender: `kind:name`, or '' for SAK's events at /whatsapp-webhook.

A kind is a package of worker/senders with a `parser`, and with a `redaction` if its bodies contain secrets.
"""

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from ingest.queue.contract import DEFAULT_SENDER
from store.model.facts import Outcome, SessionFacts
from worker import senders
from worker.senders import results
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.sak import parser as sak
from worker.senders.whatsapp import text

SAK: Final = "sak"

Parse: TypeAlias = Callable[[bytes], ParseResult]
Redact: TypeAlias = Callable[[bytes], bytes]


def parse(sender: str, body: bytes) -> ParseResult:
    """Parse one event. Sessions of kinds other than SAK are named `name:session`. Never raises."""
    if sender == DEFAULT_SENDER:
        return sak.parse(body)
    kind, _, name = sender.partition(":")
    parse_body = _parsers().get(kind)
    if parse_body is None:
        return results.without_facts(Reason.UNKNOWN_SENDER)
    result = parse_body(body)
    return result if kind == SAK else result._replace(outcome=_with_sender_prefix(result.outcome, name))


def redact(sender: str, body: bytes) -> bytes:
    """Return the body without the gateway's secrets. For a kind without a parser, the redactions of all kinds apply."""
    if sender == DEFAULT_SENDER:
        return body
    redactions = _redactions()
    kind = sender.partition(":")[0]
    if kind in _parsers():
        redact_body = redactions.get(kind)
        return body if redact_body is None else redact_body(body)
    return functools.reduce(lambda redacted, redact_body: redact_body(redacted), redactions.values(), body)


def shares_digests(sender: str) -> bool:
    """Return whether equal bytes from this sender and from the default one are the same event, because both are SAK."""
    return sender == DEFAULT_SENDER or sender.startswith(f"{SAK}:")


def _with_sender_prefix(outcome: Outcome, name: str) -> Outcome:
    if outcome.session_id is None and not outcome.others:
        return outcome
    return replace(
        outcome,
        session_id=None if outcome.session_id is None else _session_id(name, outcome.session_id),
        others=tuple(SessionFacts(_session_id(name, each.session_id), each.facts) for each in outcome.others),
    )


def _session_id(name: str, session: str) -> str:
    return text.identifier(f"{name}:{session}") or name


@functools.cache
def _parsers() -> Mapping[str, Parse]:
    return {kind: importlib.import_module(module).parse for kind, module in _modules("parser")}


@functools.cache
def _redactions() -> Mapping[str, Redact]:
    return {kind: importlib.import_module(module).redact for kind, module in _modules("redaction")}


def _modules(name: str) -> list[tuple[str, str]]:
    """Return the kinds that have a module with this name, and its full name."""
    kinds = (package.name for package in pkgutil.iter_modules(senders.__path__) if package.ispkg)
    modules = ((kind, f"{senders.__name__}.{kind}.{name}") for kind in kinds)
    return [(kind, module) for kind, module in modules if importlib.util.find_spec(module) is not None]
