"""Computes the settings of PostgreSQL and Valkey from the memory of the machine (docs/performance.md)."""

MIB = 1 << 20


def of_postgres(memory_bytes: int) -> dict[str, str]:
    """Return the settings for a machine that the server shares with the other programs of `./run`."""
    return {
        "shared_buffers": _share(memory_bytes, 4, 128, 2048),
        "effective_cache_size": _share(memory_bytes, 2, 128),
        "maintenance_work_mem": _share(memory_bytes, 64, 64, 512),
        "max_wal_size": _share(memory_bytes, 4, 1024, 4096),
        "checkpoint_timeout": "15min",
    }


def of_valkey(memory_bytes: int) -> dict[str, str]:
    return {"maxmemory": _share(memory_bytes, 8, 128, 2048)}


def _share(memory_bytes: int, divisor: int, minimum: int, maximum: int | None = None) -> str:
    """Return a share of the memory within bounds, which are in MiB, as both servers write it."""
    size = max(memory_bytes // divisor // MIB, minimum)
    return f"{size if maximum is None else min(size, maximum)}MB"
