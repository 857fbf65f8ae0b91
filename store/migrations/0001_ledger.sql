-- Ledger: counts every event that ingest acknowledged, once.

-- One row per batch, inserted by the transaction that stores its events.
CREATE TABLE batches (
    writer uuid NOT NULL,
    number bigint NOT NULL,
    size integer NOT NULL,
    -- The writer's count of events up to and including this batch.
    upto bigint NOT NULL,
    stored integer NOT NULL DEFAULT 0,
    duplicate integer NOT NULL DEFAULT 0,
    noise integer NOT NULL DEFAULT 0,
    ping integer NOT NULL DEFAULT 0,
    parked integer NOT NULL DEFAULT 0,
    forgotten integer NOT NULL DEFAULT 0,
    committed_at timestamptz NOT NULL DEFAULT now(),
    -- Makes delivery idempotent: a batch that is delivered again is skipped as a whole.
    PRIMARY KEY (writer, number),
    -- Every event of a batch has exactly one outcome.
    CHECK (size = stored + duplicate + noise + ping + parked + forgotten)
);

-- Sums over consecutive batches of one writer, so that the ledger does not add up every batch each time it is read.
-- A batch never changes, so a run is valid in every snapshot that contains it. Batches that are in no run yet are added
-- up one by one.
CREATE TABLE batch_runs (
    writer uuid NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    -- The writer's count of events before the first batch.
    before bigint NOT NULL,
    -- The writer's count of events up to and including the last batch.
    upto bigint NOT NULL,
    size bigint NOT NULL,
    stored bigint NOT NULL,
    duplicate bigint NOT NULL,
    noise bigint NOT NULL,
    ping bigint NOT NULL,
    parked bigint NOT NULL,
    forgotten bigint NOT NULL,
    PRIMARY KEY (writer, first),
    CHECK (first <= last),
    CHECK (size = stored + duplicate + noise + ping + parked + forgotten)
);

-- Sums of batches that no longer exist would be wrong.
CREATE FUNCTION clear_batch_runs() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM batch_runs;
    RETURN NULL;
END
$$;

CREATE TRIGGER clear_batch_runs
    AFTER TRUNCATE ON batches
    FOR EACH STATEMENT
    EXECUTE FUNCTION clear_batch_runs();

-- Changes of outcome by redrive, replay and erasure: what one column loses another gains.
CREATE TABLE ledger_corrections (
    correction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    noise bigint NOT NULL DEFAULT 0,
    ping bigint NOT NULL DEFAULT 0,
    parked bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- A correction neither adds nor loses an event.
    CHECK (stored + duplicate + noise + ping + parked + forgotten = 0)
);

-- The position of each writer in its newest stream entry that a worker has seen.
CREATE TABLE writers (
    writer uuid PRIMARY KEY,
    number bigint NOT NULL,
    upto bigint NOT NULL,
    -- Events in the writer's spool at that time.
    spooled bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- One row: the stream as workers last observed it, at as_of.
CREATE TABLE stream_status (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    as_of timestamptz NOT NULL,
    length bigint NOT NULL,
    oldest_at timestamptz,
    -- Since when the stream has been empty; null while it is not.
    empty_since timestamptz
);
