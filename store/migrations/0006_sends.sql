-- Sends: messages that the gateway was asked to send, recorded before the request.

CREATE TABLE sends (
    send_id uuid PRIMARY KEY,
    session_id text NOT NULL,
    chat_id bigint NOT NULL REFERENCES chats,
    -- The digits that the gateway dials.
    address text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'image', 'document', 'video')),
    -- The text, or the caption of a file.
    text text,
    file_name text,
    mime_type text,
    file_size bigint,
    -- accepted: recorded, no result yet. unknown: it may have been sent, so no process sends it again.
    state text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'sent', 'queued', 'failed', 'unknown')),
    -- Why it failed or is unknown, in the gateway's words if it gave any.
    code text,
    reason text,
    -- WhatsApp's id, and the key of the message with that id.
    message_id text,
    key_id bigint REFERENCES message_keys,
    -- The gateway's id of a queued send; WhatsApp does not know it.
    gateway_id text,
    from_number text,
    -- When it was recorded, in ms. With the next two columns it orders the send among the messages of its chat.
    timestamp bigint NOT NULL,
    receive_order bigint NOT NULL GENERATED ALWAYS AS (timestamp * 65536) STORED,
    sort_key text NOT NULL GENERATED ALWAYS AS (send_id::text) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    -- The requesting token, and the key under which it may repeat the request without sending twice.
    token text NOT NULL,
    idempotency_key text,
    -- Hash of the request, to refuse another request under the same key.
    fingerprint bytea,
    -- application_name of the process that executes it.
    owner text NOT NULL,
    rev bigint NOT NULL DEFAULT 1
);
-- Makes requests idempotent, also when they are concurrent.
CREATE UNIQUE INDEX sends_by_idempotency_key ON sends (token, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- The sends of a conversation that have not become messages.
CREATE INDEX sends_in_order ON sends (chat_id, timestamp, receive_order, sort_key)
    WHERE key_id IS NULL;
CREATE INDEX sends_by_key ON sends (key_id)
    WHERE key_id IS NOT NULL;
-- Sends whose process crashed, and sends to reconcile by hand; both are few.
CREATE INDEX sends_unanswered ON sends (owner)
    WHERE state = 'accepted';
CREATE INDEX sends_open ON sends (timestamp)
    WHERE state IN ('queued', 'unknown');
-- Reconciliation looks up whether an id is taken.
CREATE INDEX sends_by_message ON sends (session_id, message_id)
    WHERE message_id IS NOT NULL;
CREATE INDEX sends_by_gateway ON sends (session_id, gateway_id)
    WHERE gateway_id IS NOT NULL;
