-- Chats: one row per address, merged where a LID is known to be a phone.
--
-- Every write of the history commutes with every other (docs/architecture.md): the same events give the same rows in
-- any order, grouping and number.

-- One row per address as it was sent. A LID that is known to be a phone points to the phone's row, the canonical chat.
-- The summary of a chat (last message, unread, waiting) is stored in its canonical row and covers all merged rows.
CREATE TABLE chats (
    chat_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL,
    address text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('phone', 'group', 'lid', 'newsletter', 'broadcast', 'other')),
    merged_into bigint REFERENCES chats,
    canonical_chat_id bigint NOT NULL GENERATED ALWAYS AS (coalesce(merged_into, chat_id)) STORED,
    -- The name of this address, and the (quality, time, digest) by which it won.
    own_name text,
    own_name_quality smallint NOT NULL DEFAULT 0,
    own_name_at bigint,
    own_name_digest bytea,
    -- The summary; meaningless in merged rows. First the best name of all its addresses.
    name text,
    last_timestamp bigint,
    last_receive_order bigint,
    last_id bigint,
    unread bigint NOT NULL DEFAULT 0,
    -- A user marked the chat as unread again.
    marked_unread boolean NOT NULL DEFAULT false,
    -- Time of the first incoming message after the last answer.
    waiting_since bigint,
    rev bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, address),
    -- Only a LID is merged, and only into a row that is not merged itself.
    CHECK (merged_into IS NULL OR kind = 'lid')
);
-- The addresses of a chat.
CREATE INDEX chats_by_merged_into ON chats (merged_into)
    WHERE merged_into IS NOT NULL;
-- A person in all sessions.
CREATE INDEX chats_by_address ON chats (address);
-- The list of chats, newest first, of all sessions and of one.
CREATE INDEX chats_newest ON chats (last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL;
CREATE INDEX chats_newest_by_session ON chats (session_id, last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL;
-- The filters of that list. Their columns change with most messages, which write the other indexes anyway.
CREATE INDEX chats_unread ON chats (last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND (unread > 0 OR marked_unread);
CREATE INDEX chats_waiting ON chats (last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND waiting_since IS NOT NULL;
-- Phones are most chats: a list of them is found among the newest of all.
CREATE INDEX chats_newest_by_kind ON chats (kind, last_timestamp, chat_id)
    WHERE merged_into IS NULL AND last_timestamp IS NOT NULL AND kind <> 'phone';

-- The rows of a chat: the canonical one and every LID that is merged into it.
CREATE FUNCTION chat_ids_of(canonical_chat_id bigint) RETURNS TABLE (chat_id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
AS $$
    SELECT chat_ids_of.canonical_chat_id
    UNION ALL
    SELECT c.chat_id
    FROM chats AS c
    WHERE c.merged_into = chat_ids_of.canonical_chat_id
$$;

-- Evidence that a LID is a phone: the newest of each pair. The newest pair of a LID wins.
CREATE TABLE lid_aliases (
    session_id text NOT NULL,
    lid text NOT NULL,
    phone text NOT NULL,
    observed_at bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (session_id, lid, phone)
);

-- The guide's table of contacts: its column names, and four of ours. Only phones have a phone_number.
CREATE VIEW whatsapp_contacts AS
SELECT
    c.chat_id AS id,
    c.session_id,
    c.address,
    c.kind,
    CASE WHEN c.kind = 'phone' THEN c.address END AS phone_number,
    c.name,
    to_timestamp(c.last_timestamp / 1000.0) AS last_message_at,
    c.unread AS unread_count,
    c.created_at
FROM chats AS c
WHERE c.merged_into IS NULL
    AND c.last_timestamp IS NOT NULL;
