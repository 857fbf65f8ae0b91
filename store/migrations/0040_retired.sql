-- Forgetting by age, and step 1 of 3 to raw events by month: a bound, so that the table can become a partition unread.

DO $$
DECLARE
    -- So far ahead that no event can come before step 3 with a receipt beyond it. Read before any lock is taken.
    bound CONSTANT bigint := (
        SELECT extract(epoch FROM date_trunc('month', greatest(
            now(), (SELECT to_timestamp(max(e.received_at) / 1000.0) FROM events AS e)
        ) AT TIME ZONE 'UTC') + interval '2 months')::bigint * 1000
    );
BEGIN
    -- Writers take keys before events, and so do we.
    -- Whoever locks a key knows without another look that none of its messages was retired.
    ALTER TABLE keys ADD COLUMN retired boolean NOT NULL DEFAULT false;
    EXECUTE format('ALTER TABLE events ADD CONSTRAINT events_bound CHECK (received_at < %s) NOT VALID', bound);
END
$$;

-- Messages that were forgotten because of their age: late copies, acks and replays must not bring them back. The
-- addresses are as sent; whatever is shown in the same chat is the same message (store/history/message_tombstones.py).
CREATE TABLE retired (
    key_id bigint NOT NULL,
    chat_id bigint NOT NULL,
    direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    PRIMARY KEY (key_id, chat_id, direction)
);
