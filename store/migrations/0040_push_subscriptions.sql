-- Devices that are notified of new messages (Web Push).
CREATE TABLE push_subscriptions (
    -- SHA-256 of the endpoint.
    digest bytea PRIMARY KEY,
    endpoint text NOT NULL CHECK (length(endpoint) <= 1024),
    -- The device's key and secret, with which contents are encrypted.
    p256dh bytea NOT NULL CHECK (octet_length(p256dh) = 65),
    auth bytea NOT NULL CHECK (octet_length(auth) = 16),
    -- Null: API_TOKEN.
    token_id bigint REFERENCES api_tokens ON DELETE CASCADE,
    -- The sign-in that subscribed; null: a client with a token.
    nonce text,
    -- Derived from the current API_TOKEN. Another API_TOKEN ends all sign-ins and these subscriptions.
    signing_mark text NOT NULL,
    shows_text boolean NOT NULL,
    has_sound boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    -- The time until which the push service asked to wait.
    paused_until timestamptz
);
CREATE INDEX push_subscriptions_by_token ON push_subscriptions (token_id, expires_at);
CREATE INDEX push_subscriptions_by_nonce ON push_subscriptions (nonce);

-- Chats of which a device is not notified. If a chat is erased, its rows are deleted, even by an older worker.
CREATE TABLE push_mutes (
    digest bytea NOT NULL REFERENCES push_subscriptions ON DELETE CASCADE,
    chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
    PRIMARY KEY (digest, chat_id)
);
CREATE INDEX push_mutes_by_chat ON push_mutes (chat_id);

-- One row: the change up to which devices were notified, and the time of the last check for newer ones.
CREATE TABLE push_position (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    xid xid8 NOT NULL,
    change_id bigint NOT NULL DEFAULT 0,
    -- The messages of the last notifications.
    told bigint[] NOT NULL DEFAULT '{}',
    looked_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO push_position (xid)
VALUES (pg_snapshot_xmin(pg_current_snapshot()));
