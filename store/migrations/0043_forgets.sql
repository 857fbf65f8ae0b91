-- Forgetting: who is forgotten up to when, known by keyed hashes only, and what is still to be erased.

-- HMAC-SHA256 of an address, of one session or of all, under a key that is not in the database (store/erasure/key_store.py).
CREATE TABLE forgets (
    mac bytea PRIMARY KEY,
    -- Receipt in ms: what was received up to here is not kept.
    upto bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- One row. Whoever writes compares the version with the one it knows; 0: nobody was ever forgotten.
CREATE TABLE forget_version (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version bigint NOT NULL DEFAULT 0,
    -- HMAC of a fixed text: tells the key of these hashes from any other.
    key_check bytea
);
INSERT INTO forget_version DEFAULT VALUES;

-- HMACs of (session, address, message id) of what was erased: a late copy in other bytes is no new message.
CREATE TABLE forgotten_messages (
    mac bytea PRIMARY KEY
);

-- What is being erased. The only rows of forgetting with an address in them; each goes when its work is done.
CREATE TABLE erasures (
    erasure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null: all sessions.
    session_id text,
    addresses text[] NOT NULL,
    upto bigint NOT NULL,
    stage text NOT NULL DEFAULT 'addresses' CHECK (stage IN ('addresses', 'messages', 'marks', 'events', 'rest')),
    -- Everything up to this id is done in this stage.
    done bigint NOT NULL DEFAULT 0,
    erased jsonb NOT NULL DEFAULT '{}'
);

-- The version, under a lock that whoever forgets takes alone: once that has it, no writer is left that looked before.
-- In a function, because a statement sees what was committed before it began, not before it got its lock.
CREATE FUNCTION forgets_version() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5520318846120947713);
    RETURN (SELECT v.version FROM forget_version AS v);
END
$$;
