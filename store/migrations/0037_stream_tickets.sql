-- Tickets for streams, which a browser's EventSource sends instead of a token. A row is deleted when it is used.
CREATE TABLE stream_tickets (
    -- SHA-256 of the ticket.
    hash bytea PRIMARY KEY,
    -- The token of the caller; null: API_TOKEN.
    token_id bigint,
    -- The sign-in of the caller (null: none) and its end in seconds since 1970 (null: no fixed end).
    sign_in_nonce text,
    signed_in_until bigint,
    expires_at timestamptz NOT NULL
);
