-- What is kept: how every event was counted, its raw bytes, and the history folded from them.
--
-- Every write of a fold commutes with every other (docs/architecture.md), so the same events give the same rows in
-- whatever order, cut and number they come.

-- One row. A restore from a backup draws a new epoch, so that cursors from before it are refused instead of misread.
CREATE TABLE epoch (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    epoch uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO epoch DEFAULT VALUES;

-- The ledger ---------------------------------------------------------------------------------------------------------

-- One row per batch that ingest acknowledged, written by the transaction that keeps its events.
CREATE TABLE batches (
    writer uuid NOT NULL,
    number bigint NOT NULL,
    size integer NOT NULL,
    upto bigint NOT NULL,
    stored integer NOT NULL DEFAULT 0,
    duplicate integer NOT NULL DEFAULT 0,
    noise integer NOT NULL DEFAULT 0,
    ping integer NOT NULL DEFAULT 0,
    parked integer NOT NULL DEFAULT 0,
    forgotten integer NOT NULL DEFAULT 0,
    kept_at timestamptz NOT NULL DEFAULT now(),
    -- A batch delivered again is skipped whole: this key is what skips it.
    PRIMARY KEY (writer, number),
    -- No event of a batch can be left out of the count.
    CHECK (size = stored + duplicate + noise + ping + parked + forgotten)
);

-- What redrive and replay moved from one column to another.
CREATE TABLE corrections (
    correction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    noise bigint NOT NULL DEFAULT 0,
    ping bigint NOT NULL DEFAULT 0,
    parked bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL DEFAULT now(),
    CHECK (stored + duplicate + noise + ping + parked + forgotten = 0)
);

-- How far each writer was when a worker last saw an entry of it in the stream.
CREATE TABLE writers (
    writer uuid PRIMARY KEY,
    number bigint NOT NULL,
    upto bigint NOT NULL,
    spooled bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- What the workers last said of the stream; as old as as_of.
CREATE TABLE pulse (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    as_of timestamptz NOT NULL,
    length bigint NOT NULL,
    oldest_at timestamptz,
    -- Since when stream and spools have been empty, as far as workers know; null while they are not.
    empty_since timestamptz
);

-- Events -------------------------------------------------------------------------------------------------------------

-- The identity of every event that was ever counted. Outlives the bodies, so that a late copy stays a duplicate.
CREATE TABLE digests (
    digest bytea PRIMARY KEY,
    -- The least receipt over the event's copies, in ms: a message without a believable time is dated by it.
    received_at bigint NOT NULL,
    -- The greatest receipt, where it dates something: null while the event's own times can be believed.
    last_received_at bigint,
    outcome text NOT NULL CHECK (outcome IN ('stored', 'noise', 'ping', 'parked', 'forgotten'))
);

-- Raw bodies, untouched; pruned by age.
CREATE TABLE events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL,
    received_at bigint NOT NULL,
    -- The message that the event tells of, if any; further ones are in event_keys.
    key_id bigint,
    body bytea NOT NULL
);
-- Replay asks for all the sources of a message.
CREATE INDEX events_of_key ON events (key_id) WHERE key_id IS NOT NULL;

-- The second and further messages that one event tells of; rare.
CREATE TABLE event_keys (
    key_id bigint NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (key_id, event_id)
);

-- Events that nobody understands yet.
CREATE TABLE parked (
    digest bytea PRIMARY KEY,
    event_id bigint,
    reason text NOT NULL,
    session_id text,
    event text,
    received_at bigint NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX parked_newest ON parked (received_at, digest);

-- Sessions -----------------------------------------------------------------------------------------------------------

CREATE TABLE sessions (
    session integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL UNIQUE,
    state text,
    -- (time, digest) of the report that won, so that an older report coming late changes nothing.
    state_at bigint,
    state_digest bytea,
    phone text,
    phone_at bigint,
    phone_digest bytea,
    rev bigint NOT NULL DEFAULT 1
);

-- When each kind of event last came: what was subscribed and is missing here was never seen.
CREATE TABLE session_events (
    session integer NOT NULL REFERENCES sessions,
    event text NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (session, event)
);

-- Messages -----------------------------------------------------------------------------------------------------------

-- The lock of everything that is said about one message id: whoever writes about it takes this row first and looks
-- afterwards, so that an ack and its message, committing side by side, cannot miss each other.
CREATE TABLE keys (
    key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session integer NOT NULL REFERENCES sessions,
    message_id text NOT NULL,
    -- A source of this key was pruned: replay must not take what is left for all there was.
    pruned boolean NOT NULL DEFAULT false,
    UNIQUE (session, message_id)
);

-- One row per address as it was sent. A LID that is known to be a phone points to the phone's row, its head; what is
-- shown of the chat (last message, unread, waiting) is kept on the head and covers all rows that point to it.
CREATE TABLE chats (
    chat_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL,
    address text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('phone', 'group', 'lid', 'newsletter', 'broadcast', 'other')),
    merged_into bigint REFERENCES chats,
    -- What this very address is called, and why that name won.
    own_name text,
    own_name_quality smallint NOT NULL DEFAULT 0,
    own_name_at bigint,
    own_name_digest bytea,
    -- From here on: the head's, over all its addresses.
    name text,
    last_timestamp bigint,
    last_arrived bigint,
    last_id bigint,
    unread bigint NOT NULL DEFAULT 0,
    -- A reader asked to see the chat as unread again.
    marked_unread boolean NOT NULL DEFAULT false,
    waiting_since bigint,
    rev bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, address),
    -- Phones never merge with phones: only a LID has a head, and it is not itself one.
    CHECK (merged_into IS NULL OR kind = 'lid')
);
CREATE INDEX chats_of_head ON chats (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX chats_by_address ON chats (address);
-- The list of chats, newest first, of all sessions and of one.
CREATE INDEX chats_newest ON chats (last_timestamp, chat_id) WHERE merged_into IS NULL AND last_timestamp IS NOT NULL;
CREATE INDEX chats_newest_of_session ON chats (session_id, last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL;

-- The guide's table under the guide's names, and what we add. One row per message and address it was sent under.
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
    status text,
    -- Effective time in ms: the sender's where it can be believed, else the receipt.
    timestamp bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    key_id bigint NOT NULL REFERENCES keys,
    chat_id bigint NOT NULL REFERENCES chats,
    time_source text NOT NULL CHECK (time_source IN ('message', 'receipt')),
    -- Receipt in ms * 65536 + index in the batch, of the copy that made the row. Breaks ties; never changes.
    arrived bigint NOT NULL,
    raw_type text,
    content_state text NOT NULL,
    mime_type text,
    file_name text,
    reply_to text,
    sender text,
    sender_name text,
    -- Which copy the content is from: the greatest by (rank, earliest time, smallest digest).
    content_rank smallint NOT NULL,
    content_time bigint NOT NULL,
    content_tie bigint NOT NULL,
    -- The status that messages themselves carried; status also counts acks.
    base_status text,
    -- What was there before the newest edit: the text, or of media the caption.
    original_text text,
    edited_at bigint,
    deleted_at bigint,
    unread boolean NOT NULL,
    -- The same message under another address of the same chat is shown instead.
    collapsed boolean NOT NULL DEFAULT false,
    -- The transaction that made the row: what a reader's page could not have shown, it cannot mark as read.
    born xid8 NOT NULL DEFAULT pg_current_xact_id(),
    rev bigint NOT NULL DEFAULT 1,
    UNIQUE (key_id, chat_id, direction)
);
-- A conversation, in either direction of time.
CREATE INDEX whatsapp_messages_in_order ON whatsapp_messages (chat_id, timestamp, arrived, message_id, id);
-- The last answer of a chat, which decides since when somebody waits.
CREATE INDEX whatsapp_messages_answers ON whatsapp_messages (chat_id, timestamp, arrived, message_id)
    WHERE direction = 'outgoing' AND status IS DISTINCT FROM 'failed';
CREATE INDEX whatsapp_messages_unread ON whatsapp_messages (chat_id, timestamp) WHERE unread;
-- What the guide's readers ask for.
CREATE INDEX whatsapp_messages_from_number ON whatsapp_messages (from_number);
CREATE INDEX whatsapp_messages_to_number ON whatsapp_messages (to_number);
CREATE INDEX whatsapp_messages_newest ON whatsapp_messages (timestamp);

-- What was said about a message apart from the message: acks, edits, deletes, reactions. Kept for good, whether or not
-- the message is there yet, so that what they amount to never depends on who came first.
CREATE TABLE marks (
    key_id bigint NOT NULL REFERENCES keys,
    kind text NOT NULL CHECK (kind IN ('ack', 'edit', 'delete', 'reaction')),
    digest bytea NOT NULL,
    -- The chat as sent; null for an ack that names none.
    chat_id bigint REFERENCES chats,
    direction text,
    sender text,
    -- Effective, by the rule of messages.
    marked_at bigint NOT NULL,
    status text,
    text text,
    PRIMARY KEY (key_id, kind, digest)
);
CREATE INDEX marks_of_chat ON marks (chat_id);

-- Evidence that a LID is a phone: per pair the newest; per LID the newest pair wins.
CREATE TABLE aliases (
    session_id text NOT NULL,
    lid text NOT NULL,
    phone text NOT NULL,
    told_at bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (session_id, lid, phone)
);

-- A merge that somebody undid; outranks evidence until withdrawn.
CREATE TABLE splits (
    session_id text NOT NULL,
    lid text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz,
    PRIMARY KEY (session_id, lid)
);

-- The change feed ----------------------------------------------------------------------------------------------------

-- Names what changed; the state is read at delivery. Readers order by (xid, change_id) and stop at the oldest running
-- transaction, so that a cursor never passes a row that is still to become visible.
CREATE TABLE changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    session_id text,
    chat_id bigint,
    message bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (xid, change_id)
);

-- For the guide's readers --------------------------------------------------------------------------------------------

-- A chat is a contact there; groups, LIDs and the like have no phone_number.
CREATE VIEW whatsapp_contacts AS
SELECT
    chat_id AS id,
    session_id,
    address,
    kind,
    CASE WHEN kind = 'phone' THEN address END AS phone_number,
    name,
    to_timestamp(last_timestamp / 1000.0) AS last_message_at,
    unread AS unread_count,
    created_at
FROM chats
WHERE merged_into IS NULL AND last_timestamp IS NOT NULL;

-- The rows of a chat: its head, and every LID that points to it.
CREATE FUNCTION addresses_of(head bigint) RETURNS TABLE (chat_id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
    AS 'SELECT head UNION ALL SELECT c.chat_id FROM chats AS c WHERE c.merged_into = head';

-- The order of statuses: a status only ever grows.
CREATE FUNCTION status_rank(status text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_position(ARRAY['pending', 'sent', 'failed', 'delivered', 'read', 'played'], status);
CREATE FUNCTION status_of_rank(rank integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['pending', 'sent', 'failed', 'delivered', 'read', 'played'])[rank];
