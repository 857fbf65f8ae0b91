-- How far the gateway's list of sent messages has been read, per session. Times in ms, by the gateway's clock.

CREATE TABLE gateway_history_reads (
    session_id text PRIMARY KEY,
    -- The first process to claim the row after this time reads.
    next_read_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    -- Entries up to this time are recorded; null: none yet.
    read_until bigint,
    -- A read that has not come back to read_until: its newest entry, and how many entries it has seen.
    newest_at bigint,
    seen integer NOT NULL DEFAULT 0
);
