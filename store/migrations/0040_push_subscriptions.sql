-- Devices that are notified of new messages (Web Push).
CREATE TABLE push_subscriptions (
    -- SHA-256 of the endpoint.
    digest bytea PRIMARY KEY,
    endpoint text NOT NULL CHECK (length(endpoint) <= 1024),
    -- The device's key and its secret, by which contents are encrypted.
    p256dh bytea NOT NULL CHECK (octet_length(p256dh) = 65),
    auth bytea NOT NULL CHECK (octet_length(auth) = 16),
    -- Null: API_TOKEN.
    token_id bigint REFERENCES api_tokens ON DELETE CASCADE,
    -- The sign-in that subscribed; null: a client with a token.
    nonce text,
    -- Derived from the API_TOKEN of that time: a new one ends all sign-ins, and these.
    signing_mark text NOT NULL,
    shows_text boolean NOT NULL,
    has_sound boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    -- The push service asked to wait until then.
    paused_until timestamptz
);
CREATE INDEX push_subscriptions_by_token ON push_subscriptions (token_id, expires_at);
CREATE INDEX push_subscriptions_by_nonce ON push_subscriptions (nonce);

-- Chats of which a device is not told. An erased chat takes its rows along, also where an older worker erases it.
CREATE TABLE push_mutes (
    digest bytea NOT NULL REFERENCES push_subscriptions ON DELETE CASCADE,
    chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
    PRIMARY KEY (digest, chat_id)
);
CREATE INDEX push_mutes_by_chat ON push_mutes (chat_id);

-- One row: the change up to which devices were notified, and when that was last looked for.
CREATE TABLE push_position (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    xid xid8 NOT NULL,
    change_id bigint NOT NULL DEFAULT 0,
    -- The messages that were told last.
    told bigint[] NOT NULL DEFAULT '{}',
    looked_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO push_position (xid)
VALUES (pg_snapshot_xmin(pg_current_snapshot()));
