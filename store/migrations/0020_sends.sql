-- Sends: what we asked the gateway to send, recorded before it was asked, and what is known of it since.

CREATE TABLE sends (
    send_id uuid PRIMARY KEY,
    session_id text NOT NULL,
    chat_id bigint NOT NULL REFERENCES chats,
    -- The digits that the gateway dials.
    address text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'image', 'document', 'video')),
    -- The text, or of a file the caption.
    text text,
    file_name text,
    mime_type text,
    file_size bigint,
    -- accepted: recorded, and nobody knows more yet. unknown: it may have gone out, and no machine sends it again.
    state text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'sent', 'queued', 'failed', 'unknown')),
    -- Why it failed or is unknown: a code and a sentence, the gateway's own where it gave them.
    code text,
    reason text,
    -- WhatsApp's id, and the message that the send became with it.
    message_id text,
    key_id bigint REFERENCES keys,
    -- The number under which the gateway queued it, which WhatsApp will never know.
    gateway_id text,
    from_number text,
    -- When it was recorded, in ms: the message's time. With the next two, the send's place in its chat.
    timestamp bigint NOT NULL,
    arrived bigint NOT NULL GENERATED ALWAYS AS (timestamp * 65536) STORED,
    place text NOT NULL GENERATED ALWAYS AS (send_id::text) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    -- The token that asked for it, and the key under which it may ask again without sending twice.
    token text NOT NULL,
    idempotency_key text,
    fingerprint bytea,
    -- The process that asks the gateway, by the name that its connections have.
    owner text NOT NULL,
    rev bigint NOT NULL DEFAULT 1
);
-- A key sends once, whoever else tries at the same time.
CREATE UNIQUE INDEX sends_once ON sends (token, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- What a chat shows beside its messages.
CREATE INDEX sends_in_order ON sends (chat_id, timestamp, arrived, place) WHERE key_id IS NULL;
CREATE INDEX sends_of_key ON sends (key_id) WHERE key_id IS NOT NULL;
-- What a crash left, and what a person may want to reconcile: both are few.
CREATE INDEX sends_unanswered ON sends (owner) WHERE state = 'accepted';
CREATE INDEX sends_open ON sends (timestamp) WHERE state IN ('queued', 'unknown');
-- Reconciliation asks whether a number of the gateway's is taken.
CREATE INDEX sends_by_message ON sends (session_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX sends_by_gateway ON sends (session_id, gateway_id) WHERE gateway_id IS NOT NULL;

ALTER TABLE changes ADD COLUMN send_id uuid;
