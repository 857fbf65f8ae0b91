"""Uses one RQ job per event: RQ's own worker, which forks for each. The job is imported, as RQ's guide advises."""

import os

from redis import Redis
from rq import Queue, Worker

from dev.bench.references import rq_job

if __name__ == "__main__":
    connection = Redis.from_url(os.environ["REDIS_URL"])  # pyright: ignore[reportUnknownMemberType] - **kwargs
    assert rq_job.JOB_NAME
    Worker([Queue(rq_job.QUEUE_NAME, connection=connection)], connection=connection).work(logging_level="WARNING")  # pyright: ignore[reportUnknownMemberType] - RQ is partly typed
