-- Losses: the last report of each writer, and the losses that a person accepted.

-- The time of the newest heartbeat by the writer's clock, in ms, and the time at which a worker read it; null if the
-- ingest sends no heartbeats.
ALTER TABLE writers ADD COLUMN heartbeat_ms bigint;
ALTER TABLE writers ADD COLUMN heartbeat_at timestamptz;
-- The last time at which `number` increased.
ALTER TABLE writers ADD COLUMN advanced_at timestamptz;
-- The time of the last report with events in the spool.
ALTER TABLE writers ADD COLUMN spooled_at timestamptz;
-- The time after which nothing more can come from the writer: it ended with an empty spool, another process adopted its
-- files, or a person accepted its end.
ALTER TABLE writers ADD COLUMN ended_at timestamptz;
ALTER TABLE writers ADD COLUMN host text;

-- Entries that no worker could read.
ALTER TABLE stream_status ADD COLUMN unreadable bigint NOT NULL DEFAULT 0;
-- The reason why the last drain of a worker failed; null if it succeeded.
ALTER TABLE stream_status ADD COLUMN drain_failure text;

-- Decisions of operators; never deleted.
CREATE TABLE accepted_losses (
    loss_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer uuid NOT NULL,
    -- The lost batches; null if the end of the writer was accepted instead.
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
