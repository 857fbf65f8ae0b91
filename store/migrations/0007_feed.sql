-- Change feed: what changed, in an order that readers can resume from.

-- Names what changed; its state is read at delivery. Readers order by (xid, change_id) and stop before the oldest
-- running transaction, so that a cursor never passes a row that is not visible yet.
CREATE TABLE changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    session_id text,
    chat_id bigint,
    -- whatsapp_messages.id
    message bigint,
    send_id uuid,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (xid, change_id)
);

-- One row: changes up to here were pruned. A cursor below it has missed some and is refused.
CREATE TABLE feed_floor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    xid xid8 NOT NULL DEFAULT '0',
    change_id bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_floor DEFAULT VALUES;

-- One row: the epoch to which cursors belong. A restore or a promotion starts another, because transaction ids may be
-- assigned again; cursors of an earlier epoch are refused.
CREATE TABLE feed_epoch (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    -- PostgreSQL's timeline of this epoch; null until a process has recorded it.
    timeline text
);
INSERT INTO feed_epoch DEFAULT VALUES;
