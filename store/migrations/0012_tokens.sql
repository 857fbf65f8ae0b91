-- Tokens that were made for somebody, and what was done with them.

CREATE TABLE tokens (
    token_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    -- SHA-256 of the token, which nobody has but its bearer. A token is random, so that its hash needs no salt.
    hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write', 'admin']),
    -- Null: all sessions.
    sessions text[],
    -- Requests; null: no limit.
    per_minute integer CHECK (per_minute > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
-- A name means one token that works; a revoked one may be followed by another of its name.
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

-- Requests that changed something, or would have.
CREATE TABLE audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    caller text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    status integer NOT NULL
);
CREATE INDEX audit_by_age ON audit (at);
