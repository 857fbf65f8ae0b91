-- Messages, and what events said about them apart from the message itself.

-- One row per message id, locked before anything about the message is written. An acknowledgement and its message that
-- commit at the same time cannot miss each other, because each looks for the other after it has this lock.
CREATE TABLE message_keys (
    key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign keys here and in whatsapp_messages: checking them took a fifth of PostgreSQL's time, and all workers
    -- shared a lock on one row of sessions. Writers lock the referenced rows themselves.
    session_number integer NOT NULL,
    message_id text NOT NULL,
    -- A source was pruned: replay must not assume that the remaining sources are all there were.
    has_pruned_sources boolean NOT NULL DEFAULT false,
    -- expired_message_tombstones has rows of this key. While this is false, the holder of the lock need not read them.
    has_tombstone boolean NOT NULL DEFAULT false,
    UNIQUE (session_number, message_id)
);

-- The guide's table: its columns first, then ours. One row per message and address under which it was sent.
CREATE TABLE whatsapp_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL,
    session_id text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    from_number text,
    to_number text,
    message_type text NOT NULL,
    message_text text,
    media_url text,
    caption text,
    -- The greatest status of the message's copies and acknowledgements.
    status text,
    -- Effective time in ms: the sender's if credible, else the time of receipt.
    timestamp bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Fixed-width columns come together, which saves about 12 bytes of padding a row.
    key_id bigint NOT NULL,
    chat_id bigint NOT NULL,
    -- Receipt in ms * 65536 + index in the batch, of the copy that created the row. Breaks ties; never changes.
    receive_order bigint NOT NULL,
    -- The content is that of the copy with the greatest (rank, earliest time, smallest digest).
    content_time bigint NOT NULL,
    content_tie bigint NOT NULL,
    -- The transaction that created the row. A reader does not mark as read what its page could not have shown.
    created_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    rev bigint NOT NULL DEFAULT 1,
    edited_at bigint,
    deleted_at bigint,
    content_rank smallint NOT NULL,
    unread boolean NOT NULL,
    -- A better copy of the message, under another address of the same chat, is shown instead.
    is_duplicate boolean NOT NULL DEFAULT false,
    time_source text NOT NULL CHECK (time_source IN ('message', 'receipt')),
    raw_type text,
    content_state text NOT NULL,
    mime_type text,
    file_name text,
    reply_to text,
    sender text,
    sender_name text,
    -- The status of the message's copies, without acknowledgements.
    base_status text,
    -- Text, or caption of media, before the newest edit.
    original_text text,
    -- Makes storing a message idempotent.
    UNIQUE (key_id, chat_id, direction)
);
-- Pages of a conversation, in either direction of time. Further ties are rare and sorted when read.
CREATE INDEX whatsapp_messages_in_order ON whatsapp_messages (chat_id, timestamp, receive_order);
-- The last answer in a chat, after which an unanswered customer waits.
CREATE INDEX whatsapp_messages_answers ON whatsapp_messages (chat_id, timestamp)
    WHERE direction = 'outgoing' AND status IS DISTINCT FROM 'failed';
-- The unread messages of a chat, always read together: without further columns equal keys share one entry.
CREATE INDEX whatsapp_messages_unread ON whatsapp_messages (chat_id)
    WHERE unread;
-- The queries of the guide's readers.
CREATE INDEX whatsapp_messages_from_number ON whatsapp_messages (from_number);
CREATE INDEX whatsapp_messages_to_number ON whatsapp_messages (to_number);
CREATE INDEX whatsapp_messages_newest ON whatsapp_messages (timestamp);

-- Acknowledgements, edits, deletions and reactions. They are kept whether or not their message has arrived, so that the
-- result does not depend on the order of arrival.
CREATE TABLE message_updates (
    key_id bigint NOT NULL REFERENCES message_keys,
    -- The chat as sent; null for an acknowledgement that names none.
    chat_id bigint REFERENCES chats,
    -- Effective time in ms, by the same rule as of messages.
    occurred_at bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ack', 'edit', 'delete', 'reaction')),
    digest bytea NOT NULL,
    direction text,
    sender text,
    status text,
    text text,
    -- Makes storing an update idempotent.
    PRIMARY KEY (key_id, kind, digest)
);
-- The updates that are affected when a LID is merged.
CREATE INDEX message_updates_by_chat ON message_updates (chat_id);

-- Messages that expired by age: late copies, acknowledgements and replays must not bring them back. Addresses are as
-- sent; every address of the same chat means the same message.
CREATE TABLE expired_message_tombstones (
    key_id bigint NOT NULL,
    chat_id bigint NOT NULL,
    direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    PRIMARY KEY (key_id, chat_id, direction)
);

-- The order of statuses: a message's status only ever increases.
CREATE FUNCTION status_rank(status text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_position(ARRAY['pending', 'sent', 'failed', 'delivered', 'read', 'played'], status);

CREATE FUNCTION status_from_rank(rank integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['pending', 'sent', 'failed', 'delivered', 'read', 'played'])[rank];
