-- Tokens may expire. A process of an older release ignores this and accepts expired tokens.
ALTER TABLE api_tokens
    -- Null: never.
    ADD COLUMN expires_at timestamptz,
    -- The caller that created it; null: the command line.
    ADD COLUMN created_by text,
    -- The time of the last request with it, up to a minute late.
    ADD COLUMN last_used_at timestamptz;

-- The token that an audited request created, changed or revoked.
ALTER TABLE audit_log
    ADD COLUMN token_id bigint;
