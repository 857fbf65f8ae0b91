"""`/healthz`, `/readyz` and `/metrics`: report the state of the process without requiring a token."""

import anyio.to_thread
import prometheus_client
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http import database
from store.postgres import errors, migrator
from store.postgres.replica import Replica


async def alive(_: Request) -> JSONResponse:
    """Respond with 200 as long as the process serves requests."""
    return JSONResponse({"alive": True})


async def ready(request: Request) -> Response:
    """Respond with 200 if PostgreSQL can be queried and has all migrations, otherwise with 503 and the reasons."""
    return await anyio.to_thread.run_sync(_check_readiness, request)


async def metrics(request: Request) -> Response:
    """Respond with the metrics of the process in the text format of Prometheus."""
    return Response(
        prometheus_client.generate_latest(request.app.state.registry),
        headers={"content-type": prometheus_client.CONTENT_TYPE_LATEST},
    )


def _check_readiness(request: Request) -> Response:
    reasons: list[str] = []
    pools = database.from_request(request)
    try:
        missing = pools.read_primary(migrator.missing)
    except errors.StoreError:
        reasons.append(pools.read_pool.last_failure or "The database does not respond.")
    else:
        if missing:
            reasons.append(f"The database lacks migrations ({', '.join(missing)}): run python -m store migrate.")
    replica = {} if pools.replica is None else {"replica": _replica_status(pools.replica)}
    return JSONResponse({"ready": not reasons, "reasons": reasons, **replica}, 503 if reasons else 200)


def _replica_status(replica: Replica) -> dict[str, object]:
    """Return the state for `/readyz`.

    An unusable replica does not make the process unready, as the primary takes over.
    """
    lag = None if replica.lag_seconds is None else round(replica.lag_seconds, 3)
    return {"answers": replica.unavailable_reason is None, "lag_seconds": lag, "reason": replica.unavailable_reason}
