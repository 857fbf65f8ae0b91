"""Writes the audit log: the requests that changed something or tried to, each with its caller and status."""

from collections.abc import Sequence

from store.postgres.connections import Connection


def record(  # noqa: PLR0913 - the columns
    connection: Connection,
    caller: str,
    method: str,
    route: str,
    status: int,
    *,
    chat_ids: Sequence[int] = (),
    token_id: int | None = None,
) -> None:
    """Add one request with its HTTP status.

    `route` is the pattern of the path, because the path itself may contain an address. `chat_ids` are the canonical
    chats that the request was about; `token_id` is the token that it created, changed or revoked.
    """
    connection.execute(
        """
        INSERT INTO audit_log (caller, method, path, status, chat_ids, token_id)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        [caller, method, route, status, list(chat_ids), token_id],
    )
