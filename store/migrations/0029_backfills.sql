-- The newest backfill of each sender: the position at which it continues after an interruption, and the identity of its
-- batches.
CREATE TABLE backfills (
    -- `kind:name`.
    sender text PRIMARY KEY,
    writer uuid NOT NULL,
    number bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    -- The period of the messages, in ms: from `since` (null: the beginning) until the start of the backfill.
    since bigint,
    until bigint NOT NULL,
    -- The next page; null before the first.
    cursor jsonb,
    finished_at timestamptz
);
