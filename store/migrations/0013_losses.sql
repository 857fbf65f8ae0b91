-- Losses: what each writer last reported, and losses that a person accepted.

-- The writer's clock in its newest heartbeat, in ms, and when a worker saw it; null for an ingest without heartbeats.
ALTER TABLE writers ADD COLUMN heartbeat_ms bigint;
ALTER TABLE writers ADD COLUMN heartbeat_at timestamptz;
-- When its number last grew.
ALTER TABLE writers ADD COLUMN advanced_at timestamptz;
-- When it last reported events in its spool.
ALTER TABLE writers ADD COLUMN spooled_at timestamptz;
-- Since when nothing is left to come from it: it ended with an empty spool, another process adopted what it left, or a
-- person accepted that it is gone.
ALTER TABLE writers ADD COLUMN ended_at timestamptz;
ALTER TABLE writers ADD COLUMN host text;

-- Entries that no worker could read.
ALTER TABLE stream_status ADD COLUMN unreadable bigint NOT NULL DEFAULT 0;
-- Why the last drain of a worker failed; null if it did not.
ALTER TABLE stream_status ADD COLUMN drain_failure text;

-- Decisions of operators; never deleted.
CREATE TABLE accepted_losses (
    loss_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer uuid NOT NULL,
    -- The lost batches; null where the end of the writer was accepted instead.
    first bigint,
    last bigint,
    -- The writer's count of events before the first batch, and up to and including the last.
    before bigint,
    upto bigint,
    reason text NOT NULL,
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(first, last, before, upto) IN (0, 4)),
    CHECK (first <= last),
    CHECK (before < upto),
    -- The same loss is accepted once.
    UNIQUE (writer, first)
);
