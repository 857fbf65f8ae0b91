-- Sessions: what they reported of themselves, and when they were not connected.

CREATE TABLE sessions (
    -- Shorter than session_id in the unique index of message keys.
    session_number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL UNIQUE,
    -- The report with the greatest (time, digest) wins, so that an older report that arrives late changes nothing.
    state text,
    state_at bigint,
    state_digest bytea,
    phone text,
    phone_at bigint,
    phone_digest bytea,
    rev bigint NOT NULL DEFAULT 1
);

-- When each type of event last arrived: a type that is subscribed and not listed has never arrived.
CREATE TABLE session_events (
    session_number integer NOT NULL REFERENCES sessions,
    event text NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (session_number, event)
);

-- One row per session whose connection is checked.
CREATE TABLE session_checks (
    session_id text PRIMARY KEY,
    -- The first process to claim the row after this time does the check.
    next_check_at timestamptz NOT NULL,
    -- When the session was last observed connected, in ms.
    connected_at bigint
);

-- Periods in which a session was observed disconnected. Times in ms.
CREATE TABLE outages (
    outage_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL,
    -- disconnected: reported by the gateway. unreachable: the gateway did not answer.
    kind text NOT NULL CHECK (kind IN ('disconnected', 'unreachable')),
    -- Last observed connected before the outage; null: never.
    connected_at bigint,
    -- First and last observed disconnected.
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    -- Observed connected again.
    ended_at bigint,
    -- Number of checks that observed the outage.
    looks integer NOT NULL DEFAULT 1,
    reason text NOT NULL,
    CHECK (first_at <= last_at AND last_at <= ended_at)
);
-- A session has at most one outage at a time.
CREATE UNIQUE INDEX outages_open ON outages (session_id)
    WHERE ended_at IS NULL;
CREATE INDEX outages_by_session ON outages (session_id, first_at);
