-- Tickets of streams, which a browser's EventSource has in place of a token. A row is deleted when it is used.
CREATE TABLE stream_tickets (
    -- SHA-256 of the ticket.
    hash bytea PRIMARY KEY,
    -- The token of the caller; null: API_TOKEN.
    token_id bigint,
    -- The sign-in of the caller, and when it ends (seconds since 1970); null: none, and not at a certain time.
    sign_in_nonce text,
    signed_in_until bigint,
    expires_at timestamptz NOT NULL
);
