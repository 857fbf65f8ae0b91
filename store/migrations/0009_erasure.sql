-- Erasure: people whose data is not stored, known by keyed hashes only, and erasures in progress.

-- HMAC-SHA256 of an address, in one session or in all, under a key that is not in the database.
CREATE TABLE suppressions (
    mac bytea PRIMARY KEY,
    -- In ms: events that were received until then are not stored.
    received_until bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row. Writers compare the version with that of the suppressions they have loaded; 0: there was no erasure yet.
CREATE TABLE suppression_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 0,
    -- HMAC of a constant, which identifies the key.
    key_check bytea
);
INSERT INTO suppression_version DEFAULT VALUES;

-- Takes the erasure lock, shared, and returns the version. A transaction that adds suppressions takes it exclusively,
-- so that no writer with an older version is left. A function, because the snapshot of a plain statement is older than
-- its lock.
CREATE FUNCTION lock_suppressions() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5520318846120947713);
    RETURN (SELECT v.version FROM suppression_version AS v);
END
$$;

-- Messages that were erased: HMAC of (session, address, message id), so that a copy in other bytes is recognized.
CREATE TABLE erased_message_tombstones (
    mac bytea PRIMARY KEY
);

-- Erasures in progress. Of this file only these rows contain addresses; each is deleted when its work is done.
CREATE TABLE erasures (
    erasure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null: all sessions.
    session_id text,
    addresses text[] NOT NULL,
    received_until bigint NOT NULL,
    stage text NOT NULL DEFAULT 'addresses' CHECK (
        stage IN ('addresses', 'messages', 'updates', 'events', 'remainder')
    ),
    -- The stage is done up to this id.
    last_id bigint NOT NULL DEFAULT 0,
    -- Counts of what was erased so far.
    erased jsonb NOT NULL DEFAULT '{}'
);
