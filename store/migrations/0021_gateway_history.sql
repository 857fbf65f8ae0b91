-- The position up to which the gateway's list of sent messages has been read, per session. Times in ms, by the
-- gateway's clock.

CREATE TABLE gateway_history_reads (
    session_id text PRIMARY KEY,
    -- The first process that claims the row after this time reads the list.
    next_read_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    -- Entries up to this time are recorded; null: none yet.
    read_until bigint,
    -- A read that has not reached read_until yet: the time of its newest entry, and its number of entries.
    newest_at bigint,
    seen integer NOT NULL DEFAULT 0
);
