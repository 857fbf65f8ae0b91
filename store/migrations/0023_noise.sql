-- Noise: events that the parser understands and that contain nothing for the history, each with the reason. Noise that
-- an older worker counted has no row here until a replay adds it.
CREATE TABLE noise_events (
    digest bytea PRIMARY KEY,
    -- Null: the body was pruned.
    event_id bigint,
    reason text NOT NULL,
    session_id text,
    event text,
    received_at bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
-- Pages of the list, newest first.
CREATE INDEX noise_events_newest ON noise_events (received_at, digest);

-- The selected kind of events, parked or noise; null: both.
ALTER TABLE redrive_requests ADD COLUMN kind text DEFAULT 'parked';
