"""Lists the faults of a campaign. Each is injected into a running system and undone after a while."""

from collections.abc import Mapping

from dev.chaos.faults import disk_faults, network_faults, process_faults
from dev.chaos.faults.fault import Fault

POSTGRES_FROZEN = "PostgreSQL frozen"
FAULTS: Mapping[str, Fault] = {
    "ingest killed": process_faults.kill_ingest,
    "ingest terminated": process_faults.stop_ingest,
    "ingest frozen": process_faults.freeze_ingest,
    "worker killed": process_faults.kill_worker,
    "worker terminated": process_faults.stop_worker,
    "worker frozen": process_faults.freeze_worker,
    "Redis killed": process_faults.kill_redis,
    "Redis frozen": process_faults.freeze_redis,
    "PostgreSQL killed": process_faults.kill_postgres,
    POSTGRES_FROZEN: process_faults.freeze_postgres,
    "ingest and Redis killed": process_faults.kill_ingest_and_redis,
    "worker and PostgreSQL killed": process_faults.kill_worker_and_postgres,
    "everything killed": process_faults.kill_everything,
    "sessions ended": network_faults.terminate_backends,
    "connections cut": network_faults.reset_connections,
    "connections refused": network_faults.refuse_connections,
    "network blackholed": network_faults.blackhole,
    "network slow": network_faults.add_latency,
    "reply to XADD lost": network_faults.drop_xadd_reply,
    "reply to XACK lost": network_faults.drop_xack_reply,
    "reply to COMMIT lost": network_faults.drop_commit_reply,
}
FAILOVERS: Mapping[str, Fault] = {
    "PostgreSQL promoted, 5 s old": process_faults.promote_postgres,
    "Redis promoted, 2 s old": process_faults.promote_redis,
}
"""Faults after which a server is replaced by another one that lacks the last seconds."""
DISK_FAULTS: Mapping[str, Fault] = {
    "Redis killed on slow disk": disk_faults.kill_redis_on_slow_disk,
    "Redis' disk full": disk_faults.fill_redis_disk,
    "spool's disk full": disk_faults.fill_spool_disk,
    "spool's disk failing": disk_faults.fail_syncs_of_spool,
    "spool's disk slow, no Redis": disk_faults.slow_spool_without_redis,
    "clock of ingest wrong": disk_faults.set_clock_wrong,
}
"""Faults that need a C compiler (dev/chaos/faults/disk_shim.py)."""
ALONE = frozenset({*FAILOVERS, "spool's disk full", "spool's disk failing"})
"""Faults during which no other is injected, because they leave only one place where an event can be."""
ALL_FAULTS = {**FAULTS, **FAILOVERS, **DISK_FAULTS}
WEIGHTS: Mapping[str, int] = {
    "ingest killed": 3,
    "worker killed": 3,
    "Redis killed": 3,
    "PostgreSQL killed": 3,
    "Redis killed on slow disk": 3,
    **dict.fromkeys(FAILOVERS, 3),
}
"""The relative frequency of faults. The default is 1."""
