"""`GET /api/search`: messages in which all the words occur, newest first."""

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import address, messages, snippet
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import Refusal
from store.postgres import errors as store_errors
from store.postgres.connections import Connection
from store.reading import search, search_terms
from store.reading.search import Found, Page, Position, Wanted

DEFAULT = 20
_CURSOR = "search"
_NAMES = ("q", "limit", "cursor", "session_id", "address", "direction", "type", "since", "until")
_CANCELED = "57014"


def searching(request: Request) -> Response:
    """A page of results; `cursor` goes on with older ones."""
    parameters.known(request, _NAMES)
    q = parameters.text(request, "q")
    if q is None:
        raise errors.bad("bad_parameter", "q must say what to look for.")
    named = parameters.text(request, "address")
    limit = parameters.limit(request, DEFAULT)
    after = _position(request)
    words: tuple[str, ...] = ()

    def question(connection: Connection) -> Page:
        nonlocal words
        words = search.words_of(connection, q)
        if not 0 < len(words) <= search_terms.MAX_WORDS:
            raise errors.bad("bad_parameter", f"q must have 1 to {search_terms.MAX_WORDS} words.")
        wanted = Wanted(
            words,
            limit,
            sessions=access.caller(request).may_see(parameters.text(request, "session_id")),
            address=None if named is None else address.read(named),
            direction=parameters.choice(request, "direction", messages.DIRECTIONS),
            type=parameters.choice(request, "type", messages.TYPES),
            since=parameters.moment(request, "since"),
            until=parameters.moment(request, "until"),
        )
        return search.find(connection, wanted, after)

    try:
        page = database.of(request).look(question)
    except store_errors.TransientError as error:
        if error.sqlstate != _CANCELED:
            raise
        sentence = "Too many messages have these words in them: use longer or more words, a chat or a time."
        raise Refusal(400, "query_too_broad", sentence) from error
    results = ",".join(_result(found, words, fuzzy=page.fuzzy) for found in page.results)
    return responses.success(
        f'{{"results":[{results}],"cursor":{_seal(page.after)},"fuzzy":{json.dumps(page.fuzzy)},'
        f'"complete":{json.dumps(page.complete)}}}'
    )


def _result(found: Found, words: tuple[str, ...], *, fuzzy: bool) -> str:
    shown = snippet.of(found.text, words, fuzzy=fuzzy)
    more = json.dumps({"name": found.name, "snippet": shown.text, "ranges": shown.ranges}, ensure_ascii=False)
    return f"{found.message[:-1]},{more[1:]}"


def _position(request: Request) -> Position | None:
    text = parameters.opaque(request, "cursor")
    if text is None:
        return None
    timestamp, row_id, fuzzy = cursors.unseal(_CURSOR, "cursor", text, int, int, int)
    return Position(cast("int", timestamp), cast("int", row_id), fuzzy == 1)


def _seal(position: Position | None) -> str:
    if position is None:
        return "null"
    return json.dumps(cursors.seal(_CURSOR, position.timestamp, position.id, int(position.fuzzy)))
