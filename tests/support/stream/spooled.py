"""Sends webhooks to an ingest whose spool is tested, and reads the number of waiting events."""

from tests.support.processes.ingest_process import IngestProcess


def waiting(ingest: IngestProcess) -> int:
    return int(ingest.read_metric("sak_spool_events"))


def post(ingest: IngestProcess, bodies: list[bytes]) -> list[bytes]:
    """Return the bodies that the spool accepted. All others must have been refused."""
    taken: list[bytes] = []
    for body in bodies:
        answer = ingest.post_webhook(body)
        assert answer.status in {200, 503}
        if answer.status == 200:
            assert answer.json["path"] == "spool"
            taken.append(body)
    return taken
