"""One RQ job per event: the job."""

import os

from dev.bench.references import guide

QUEUE = "events"
NAME = "dev.bench.references.rq_job.store"


def store(body: str) -> None:
    guide.store(os.environ["DATABASE_URL"], body.encode())
