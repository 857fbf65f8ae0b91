"""`GET /api/search`: messages that contain all the words, newest first."""

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import address, messages, snippet
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import ApiError
from store.postgres import errors as store_errors
from store.postgres.connections import Connection
from store.reading import search, search_terms
from store.reading.search import SearchHit, SearchPage, SearchPosition, SearchQuery

DEFAULT_LIMIT = 20
_CURSOR_KIND = "search"
_PARAMETERS = ("q", "limit", "cursor", "session_id", "address", "direction", "type", "since", "until")
_QUERY_CANCELED = "57014"


def search_messages(request: Request) -> Response:
    """A page of results; `cursor` continues with older ones."""
    parameters.reject_repeated(request, _PARAMETERS)
    q = parameters.text(request, "q")
    if q is None:
        raise errors.bad_request("bad_parameter", "q is required: the words to search for.")
    chat = parameters.text(request, "address")
    limit = parameters.limit(request, DEFAULT_LIMIT)
    after = _decode_position(request)
    words: tuple[str, ...] = ()

    def query(connection: Connection) -> SearchPage:
        nonlocal words
        words = search_terms.tokenize(connection, q)
        if not 0 < len(words) <= search_terms.MAX_WORDS:
            raise errors.bad_request("bad_parameter", f"q must have 1 to {search_terms.MAX_WORDS} words.")
        search_query = SearchQuery(
            words,
            limit,
            sessions=access.caller(request).visible_sessions(parameters.text(request, "session_id")),
            address=None if chat is None else address.parse(chat),
            direction=parameters.choice(request, "direction", messages.DIRECTIONS),
            type=parameters.choice(request, "type", messages.MESSAGE_TYPES),
            since=parameters.timestamp(request, "since"),
            until=parameters.timestamp(request, "until"),
        )
        return search.find(connection, search_query, after)

    try:
        page = database.from_request(request).read(query)
    except store_errors.TransientError as error:
        if error.sqlstate != _QUERY_CANCELED:
            raise
        sentence = "Too many messages contain these words: use longer or more words, a chat or a period."
        raise ApiError(400, "query_too_broad", sentence) from error
    results = ",".join(_hit_json(hit, words, fuzzy=page.fuzzy) for hit in page.hits)
    return responses.success(
        f'{{"results":[{results}],"cursor":{_encode_position(page.next_position)},"fuzzy":{json.dumps(page.fuzzy)},'
        f'"complete":{json.dumps(page.index_complete)}}}'
    )


def _hit_json(hit: SearchHit, terms: tuple[str, ...], *, fuzzy: bool) -> str:
    excerpt = snippet.extract(hit.matched_text, terms, fuzzy=fuzzy)
    fields = json.dumps({"name": hit.chat_name, "snippet": excerpt.text, "ranges": excerpt.ranges}, ensure_ascii=False)
    return f"{hit.message[:-1]},{fields[1:]}"


def _decode_position(request: Request) -> SearchPosition | None:
    text = parameters.cursor(request, "cursor")
    if text is None:
        return None
    timestamp, row_id, fuzzy = cursors.decode(_CURSOR_KIND, "cursor", text, int, int, int)
    return SearchPosition(cast("int", timestamp), cast("int", row_id), fuzzy == 1)


def _encode_position(position: SearchPosition | None) -> str:
    if position is None:
        return "null"
    return json.dumps(cursors.encode(_CURSOR_KIND, position.timestamp, position.id, int(position.fuzzy)))
