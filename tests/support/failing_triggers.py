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

CREATE_DISK_FULL_TRIGGER = """
    CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100';
    END $$;
    CREATE TRIGGER disk_full BEFORE INSERT ON batches FOR EACH ROW EXECUTE FUNCTION disk_full();
"""

CREATE_REJECTED_PRUNING_TRIGGER = """
    CREATE FUNCTION reject_pruning() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'still referenced' USING ERRCODE = '23503';
    END $$;
    CREATE TRIGGER reject_pruning BEFORE DELETE ON changes FOR EACH ROW EXECUTE FUNCTION reject_pruning();
"""
