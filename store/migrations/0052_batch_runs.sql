-- The ledger adds up runs of batches instead of each batch, of which there are more every day.

-- Batches of one writer whose numbers follow each other, added up. A batch never changes once it is there, so its run
-- says the same of it in every snapshot that has the run; what is in no run yet is added up as before (store/ledger/batch_runs.py).
CREATE TABLE batch_runs (
    writer uuid NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    -- The writer's count of events before the first of them and with the last.
    before bigint NOT NULL,
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

-- Whatever empties the ledger empties its sums.
CREATE FUNCTION empty_batch_runs() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM batch_runs;
    RETURN NULL;
END
$$;
CREATE TRIGGER empty_batch_runs AFTER TRUNCATE ON batches FOR EACH STATEMENT EXECUTE FUNCTION empty_batch_runs();
