"""Uses one RQ job per event: the job."""

import os

from dev.bench.references import guide

QUEUE_NAME = "events"
JOB_NAME = "dev.bench.references.rq_job.store"


def store(body: str) -> None:
    guide.store_message(os.environ["DATABASE_URL"], body.encode())
