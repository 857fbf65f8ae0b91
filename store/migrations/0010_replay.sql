-- Replay: its progress.

-- One row per replay that writes. An unfinished one is resumed.
CREATE TABLE replays (
    replay_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A replay that another parser began is not resumed but started again.
    parser text NOT NULL,
    stage text NOT NULL DEFAULT 'retractions' CHECK (stage IN ('retractions', 'events', 'removals', 'chats', 'done')),
    -- The stage is done up to this event.
    last_event_id bigint NOT NULL DEFAULT 0,
    -- Differences found so far: counts and examples.
    report jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
