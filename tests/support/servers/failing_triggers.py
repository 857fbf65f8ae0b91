"""Defines triggers that make PostgreSQL fail in the test's own database."""

CREATE_DEADLOCK_TRIGGER = """
    CREATE FUNCTION deadlock_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(2);
        PERFORM pg_advisory_xact_lock(1);
        RETURN NULL;
    END $$;
    CREATE TRIGGER deadlock_once AFTER INSERT ON batches FOR EACH ROW EXECUTE FUNCTION deadlock_once();
"""


def _create_rejecting_trigger(name: str, event: str, message: str, code: str) -> str:
    """Return statements after which each row of the event fails with this message and SQLSTATE."""
    return f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{message}' USING ERRCODE = '{code}';
        END $$;
        CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW EXECUTE FUNCTION {name}();
    """


CREATE_DISK_FULL_TRIGGER = _create_rejecting_trigger("disk_full", "INSERT ON batches", "could not extend file", "53100")
CREATE_REJECTED_PRUNING_TRIGGER = _create_rejecting_trigger(
    "reject_pruning", "DELETE ON changes", "still referenced", "23503"
)
