"""Statements that a database of a server needs from outside of it."""

from typing import LiteralString

import psycopg
from psycopg import sql

from dev.embedded.servers import EmbeddedServers


def run_admin(servers: EmbeddedServers, statement: LiteralString, *names: str) -> None:
    """Run the statement in the database postgres, with the names as its identifiers."""
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
