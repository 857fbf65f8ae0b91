"""Sends to an ingest whose spool is tested, and asks what waits there."""

from tests.support.ingest_process import IngestProcess


def waiting(ingest: IngestProcess) -> int:
    return int(ingest.read_metric("sak_spool_events"))


def post(ingest: IngestProcess, bodies: list[bytes]) -> list[bytes]:
    """The bodies that the spool took; the others must have been refused."""
    taken: list[bytes] = []
    for body in bodies:
        answer = ingest.post_webhook(body)
        assert answer.status in {200, 503}
        if answer.status == 200:
            assert answer.json["path"] == "spool"
            taken.append(body)
    return taken
