-- One row: which database this is. Redis keeps a copy, by which workers notice that they write the events of a stream
-- into another database, or into one that lost commits.
CREATE TABLE database_identity (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- A backup keeps it.
    database_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Replaced when commits may be missing: by a restore, and by a worker that finds another timeline or an older log.
    generation uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO database_identity DEFAULT VALUES;
