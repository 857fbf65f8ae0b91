-- What readers ask for beyond pages in order.

-- The inbox's questions. `waiting_since` and `unread` change with most messages anyway, so the rows are written already.
CREATE INDEX chats_unread ON chats (last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND (unread > 0 OR marked_unread);
CREATE INDEX chats_waiting ON chats (last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND waiting_since IS NOT NULL;
CREATE INDEX chats_rare ON chats (kind, last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND kind <> 'phone';

-- One row. Changes up to here were pruned: a cursor below it has missed something and is refused.
CREATE TABLE feed_floor (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    xid xid8 NOT NULL DEFAULT '0',
    change_id bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_floor DEFAULT VALUES;
