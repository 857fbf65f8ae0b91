"""`GET /api/search`: returns messages that contain all words, newest first."""

import json
import time
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.chats import address, chat_list, messages, snippet
from api.http import cursors, database, errors, parameters, responses
from api.http.errors import ApiError
from store.model.facts import ChatKind
from store.postgres import errors as store_errors
from store.reading.messages.found_page import FoundMessage
from store.reading.search import search, search_terms
from store.reading.search.search import SearchPosition, SearchQuery
from store.search_index import search_document

DEFAULT_LIMIT = 20
_CURSOR_KIND = "search"
_QUERY_CANCELED = "57014"
_MAX_MARKING_SECONDS = 0.5
"""The time in seconds for marking similar words in the snippets of a page. Further snippets are left unmarked."""


def search_messages(request: Request) -> Response:
    """Respond with a page of results. `cursor` continues with older ones."""
    q = parameters.text(request, "q")
    if q is None:
        raise errors.bad_parameter("q is required: the words to search for.")
    chat = parameters.text(request, "address")
    limit = parameters.limit(request, DEFAULT_LIMIT)
    after = _decode_position(request)
    words = search_document.split_query(q)
    if not 0 < len(words) <= search_terms.MAX_WORDS:
        raise errors.bad_parameter(f"q must have 1 to {search_terms.MAX_WORDS} words.")
    query = SearchQuery(
        words,
        limit,
        sessions=access.requested_sessions(request),
        address=None if chat is None else address.parse(chat),
        direction=parameters.choice(request, "direction", messages.DIRECTIONS),
        type=parameters.choice(request, "type", messages.MESSAGE_TYPES),
        since=parameters.timestamp(request, "since"),
        until=parameters.timestamp(request, "until"),
        chat_kind=cast("ChatKind | None", parameters.choice(request, "kind", chat_list.CHAT_KINDS)),
        unread=parameters.boolean(request, "unread"),
        waiting=parameters.boolean(request, "waiting"),
        count=parameters.boolean(request, "count"),
        label=parameters.text(request, "label"),
        starred=parameters.boolean(request, "starred"),
    )
    try:
        page = database.from_request(request).read(lambda connection: search.find(connection, query, after))
    except store_errors.TransientError as error:
        if error.sqlstate != _QUERY_CANCELED:
            raise
        sentence = "Too many messages contain these words: use longer or more words, a chat or a period."
        raise ApiError(400, "query_too_broad", sentence) from error
    marked_until = time.monotonic() + _MAX_MARKING_SECONDS
    results = [_hit_json(hit, words, fuzzy=page.fuzzy and time.monotonic() < marked_until) for hit in page.hits]
    last = page.next_position
    cursor = cursors.to_json(_CURSOR_KIND, last and (last.timestamp, last.id, int(last.fuzzy)))
    return responses.success_with_items(
        '{"results":[',
        results,
        f'],"cursor":{cursor},"fuzzy":{json.dumps(page.fuzzy)},'
        f'"complete":{json.dumps(page.index_complete)},"count":{json.dumps(page.count)}}}',
    )


def _hit_json(hit: FoundMessage, terms: tuple[str, ...], *, fuzzy: bool) -> str:
    excerpt = snippet.extract(hit.searched_text, terms, fuzzy=fuzzy)
    fields = json.dumps({"name": hit.chat_name, "snippet": excerpt.text, "ranges": excerpt.ranges}, ensure_ascii=False)
    return f"{hit.json[:-1]},{fields[1:]}"


def _decode_position(request: Request) -> SearchPosition | None:
    values = cursors.requested(request, "cursor", _CURSOR_KIND, int, int, int)
    return None if values is None else SearchPosition(values[0], values[1], fuzzy=values[2] == 1)
