-- Replay: its progress, and the facts that it has collected.

-- One row per replay that writes. An unfinished one is resumed.
CREATE TABLE replays (
    replay_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A replay that another parser began is not resumed but started again.
    parser text NOT NULL,
    stage text NOT NULL DEFAULT 'events' CHECK (
        stage IN ('events', 'latest facts', 'retractions', 'late events', 'late facts', 'chats', 'done')
    ),
    -- The stage is done up to this event.
    last_event_id bigint NOT NULL DEFAULT 0,
    -- Differences found so far: counts and examples.
    report jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- The latest facts that do not belong to a message: names, evidence on LIDs, session states. Of each subject this is
-- the fact with the greatest (rank, effective_at, digest). The history must agree with it, unless an event that is
-- pruned or newer outranks it.
CREATE TABLE latest_facts (
    kind text NOT NULL CHECK (kind IN ('name', 'alias', 'state', 'phone', 'seen')),
    session_id text NOT NULL,
    -- The address of a name, the LID of evidence, the event type of 'seen'; else empty.
    subject text NOT NULL,
    -- The phone of evidence; else empty.
    object text NOT NULL,
    rank smallint NOT NULL,
    effective_at bigint NOT NULL,
    digest bytea NOT NULL,
    value text,
    event_id bigint NOT NULL,
    PRIMARY KEY (kind, session_id, subject, object)
);
