-- Events: their identities, their raw bodies, and those that the parser did not understand.

-- The identity of every event that was ever counted. It outlives the body, so that a late copy remains a duplicate.
-- Fixed-width columns come first: this order saves 8 bytes a row, of the table with the most rows.
CREATE TABLE event_digests (
    -- The earliest receipt of any copy, in ms. It dates a message whose own time is not credible.
    received_at bigint NOT NULL,
    -- The latest receipt of any copy, where that dates something; null while the event's own times are credible.
    last_received_at bigint,
    -- SHA-256 of the body.
    digest bytea PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('stored', 'noise', 'ping', 'parked', 'forgotten'))
);

-- Raw bodies, unchanged, partitioned by month of receipt, so that retention drops whole months.
CREATE TABLE raw_events (
    event_id bigint NOT NULL,
    -- In ms.
    received_at bigint NOT NULL,
    -- The first message that the event is about, if any; event_keys has the others.
    key_id bigint,
    digest bytea NOT NULL,
    body bytea NOT NULL
) PARTITION BY RANGE (received_at);

-- A default instead of an identity column: PostgreSQL 17 is the first to allow those on partitioned tables.
CREATE SEQUENCE raw_events_event_id_seq OWNED BY raw_events.event_id;
ALTER TABLE raw_events ALTER COLUMN event_id SET DEFAULT nextval('raw_events_event_id_seq');

-- Events without a partition of their month; no event is refused for lack of one.
-- Each partition has its own primary key and index: a key of the whole table would have to include received_at.
CREATE TABLE raw_events_default PARTITION OF raw_events (
    PRIMARY KEY (event_id)
) DEFAULT;
CREATE INDEX raw_events_default_by_key ON raw_events_default (key_id)
    WHERE key_id IS NOT NULL;

-- This month and the next. Workers create later months in time, in the same shape (store/retention/partitions.py).
DO $$
DECLARE
    month timestamp;
    name text;
BEGIN
    FOR month IN
        SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead)
        FROM generate_series(0, 1) AS ahead
    LOOP
        name := to_char(month, '"raw_events_"YYYY_MM');
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF raw_events (PRIMARY KEY (event_id)) FOR VALUES FROM (%s) TO (%s)',
            name,
            extract(epoch FROM month)::bigint * 1000,
            extract(epoch FROM month + interval '1 month')::bigint * 1000
        );
        EXECUTE format('CREATE INDEX %I ON %I (key_id) WHERE key_id IS NOT NULL', name || '_by_key', name);
    END LOOP;
END
$$;

-- The second and further messages that one event is about; rare.
CREATE TABLE event_keys (
    key_id bigint NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (key_id, event_id)
);
-- Replay looks up all messages of an event.
CREATE INDEX event_keys_by_event ON event_keys (event_id);

-- Events that the parser does not understand yet.
CREATE TABLE parked_events (
    digest bytea PRIMARY KEY,
    -- Null: the body was pruned.
    event_id bigint,
    reason text NOT NULL,
    session_id text,
    event text,
    received_at bigint NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now()
);
-- Pages of the list, newest first.
CREATE INDEX parked_events_newest ON parked_events (received_at, digest);

-- Requests to retry parked events. The API inserts them; a worker, which has the parser, executes them.
CREATE TABLE redrive_requests (
    redrive_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The requesting token and the sessions that it may see; null: all.
    caller text NOT NULL,
    sessions text[],
    -- The selected events; null: all that were parked at that time.
    digests bytea[],
    reason text,
    -- Hash of the selection.
    fingerprint bytea NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- Number of times that a worker started it; one that kills its worker each time is given up.
    attempts integer NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    -- Number of selected events, and of those that are still parked.
    event_count bigint,
    still_parked bigint,
    failure text
);
-- Makes requests idempotent: the same selection, requested again while it is open, is the same request.
CREATE UNIQUE INDEX redrive_requests_open ON redrive_requests (fingerprint)
    WHERE finished_at IS NULL;
