-- Outages: when a session was not connected, as far as somebody looked.

-- One row per session that is watched.
CREATE TABLE watches (
    session_id text PRIMARY KEY,
    -- Whoever takes the row after this looks next; the others leave it alone.
    next_at timestamptz NOT NULL,
    -- When it was last seen connected, in ms.
    connected_at bigint
);

CREATE TABLE outages (
    outage_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL,
    -- disconnected: the gateway says so. unreachable: the gateway did not say anything.
    kind text NOT NULL CHECK (kind IN ('disconnected', 'unreachable')),
    -- The evidence, in ms: last seen connected before (null: never), first and last seen away, seen connected again.
    connected_at bigint,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    ended_at bigint,
    looks integer NOT NULL DEFAULT 1,
    reason text NOT NULL,
    CHECK (first_at <= last_at AND last_at <= ended_at)
);
CREATE UNIQUE INDEX outages_open ON outages (session_id) WHERE ended_at IS NULL;
CREATE INDEX outages_of_session ON outages (session_id, first_at);
