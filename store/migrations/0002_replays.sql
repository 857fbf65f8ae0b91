-- Replay: how far one is, and what it has heard so far.

-- A row per replay that writes; the newest unfinished one is resumed.
CREATE TABLE replays (
    replay_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Which parser reads: a replay that was begun with another one is begun anew.
    parser text NOT NULL,
    stage text NOT NULL DEFAULT 'events' CHECK (
        stage IN ('events', 'sayings', 'withdrawals', 'latecomers', 'late sayings', 'chats', 'done')
    ),
    -- Everything up to here is done.
    last_event_id bigint NOT NULL DEFAULT 0,
    -- What it found different so far: counts and examples.
    report jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- What the replayed events say last of what has no message to hang on: names, evidence on LIDs, sessions. Per subject
-- the greatest by (weight, at, digest), which is what the history must say unless a pruned or a newer event said more.
CREATE TABLE sayings (
    kind text NOT NULL CHECK (kind IN ('name', 'alias', 'state', 'phone', 'seen')),
    session_id text NOT NULL,
    -- Of a name its address, of evidence its LID, of what was seen the kind of event; else empty.
    subject text NOT NULL,
    -- Of evidence its phone; else empty.
    object text NOT NULL,
    weight smallint NOT NULL,
    at bigint NOT NULL,
    digest bytea NOT NULL,
    value text,
    event_id bigint NOT NULL,
    PRIMARY KEY (kind, session_id, subject, object)
);

-- Replay asks which further messages an event tells of.
CREATE INDEX event_keys_of_event ON event_keys (event_id);
