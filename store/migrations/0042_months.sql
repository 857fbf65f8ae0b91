-- Raw events by month, step 3 of 3: the table becomes the first partition of its successor; no row is moved or read.
--
-- Partitions have their own primary keys and indexes, as the table that becomes one has: a key of them all would have to
-- hold received_at as well. Numbers are unique because one sequence gives them. Identity columns of partitioned tables
-- are not known before PostgreSQL 17, so it is a default.

LOCK TABLE events IN ACCESS EXCLUSIVE MODE;

DO $$
DECLARE
    bound bigint;
    next_id bigint;
BEGIN
    SELECT CASE WHEN s.is_called THEN s.last_value + 1 ELSE s.last_value END INTO next_id FROM events_event_id_seq AS s;
    SELECT substring(pg_get_constraintdef(c.oid) FROM '[0-9]{12,}')::bigint INTO STRICT bound
    FROM pg_constraint AS c
    WHERE c.conrelid = 'events'::regclass AND c.conname = 'events_bound';
    CREATE SEQUENCE event_ids;
    PERFORM setval('event_ids', next_id, false);
    ALTER TABLE events ALTER COLUMN event_id DROP IDENTITY;
    ALTER TABLE events RENAME TO events_first;
    ALTER INDEX events_pkey RENAME TO events_first_pkey;
    ALTER INDEX events_of_key RENAME TO events_first_of_key;
    -- Raw bodies, untouched; pruned by age, whole months at once where nothing of them is to stay.
    CREATE TABLE events (
        event_id bigint NOT NULL DEFAULT nextval('event_ids'),
        digest bytea NOT NULL,
        -- In ms.
        received_at bigint NOT NULL,
        -- The message that the event tells of, if any; further ones are in event_keys.
        key_id bigint,
        body bytea NOT NULL
    ) PARTITION BY RANGE (received_at);
    ALTER SEQUENCE event_ids OWNED BY events.event_id;
    EXECUTE format('ALTER TABLE events ATTACH PARTITION events_first FOR VALUES FROM (MINVALUE) TO (%s)', bound);
    ALTER TABLE events_first DROP CONSTRAINT events_bound;
    -- What no partition is for: no event fails to be kept for want of one.
    CREATE TABLE events_default PARTITION OF events (PRIMARY KEY (event_id)) DEFAULT;
    CREATE INDEX events_default_of_key ON events_default (key_id) WHERE key_id IS NOT NULL;
END
$$;
