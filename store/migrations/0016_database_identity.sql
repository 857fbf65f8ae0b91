-- One row: the identity of this database. Redis has a copy. By comparing both, workers notice that they would write the
-- events of a stream into another database, or into one that lost commits.
CREATE TABLE database_identity (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Unchanged in a backup.
    database_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Replaced when commits may be missing: by a restore, and by a worker that finds another timeline or an older log.
    generation uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO database_identity DEFAULT VALUES;

-- Returns true if the database is complete and has this generation. Otherwise it raises an error, so that a transaction
-- for another state stores nothing. A restore records the first migration last.
CREATE FUNCTION require_generation(expected uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM migrations AS m WHERE m.name = '0001_ledger.sql')
        OR NOT EXISTS (SELECT FROM database_identity AS i WHERE i.generation = expected)
    THEN
        RAISE EXCEPTION 'the database was restored or replaced' USING ERRCODE = 'SK001';
    END IF;
    RETURN true;
END
$$;
