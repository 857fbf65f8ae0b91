-- The newest backfill of each sender: where it goes on after an interruption, and under which identity its batches count.
CREATE TABLE backfills (
    -- `kind:name`.
    sender text PRIMARY KEY,
    writer uuid NOT NULL,
    number bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    -- Times of messages, in ms: from since, if it is not null, until the start of the backfill.
    since bigint,
    until bigint NOT NULL,
    -- The next page; null before the first.
    cursor jsonb,
    finished_at timestamptz
);
