-- Access: API tokens, what was done with them, and ended sign-ins.

CREATE TABLE api_tokens (
    token_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    -- SHA-256 of the token. Tokens are random, so the hash needs no salt.
    hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write', 'admin']),
    -- Null: all sessions.
    sessions text[],
    -- Limit of requests; null: none.
    per_minute integer CHECK (per_minute > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
-- A name identifies one valid token; the name of a revoked one may be used again.
CREATE UNIQUE INDEX api_tokens_by_name ON api_tokens (name)
    WHERE revoked_at IS NULL;

-- Requests that changed something or attempted to.
CREATE TABLE audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    caller text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    status integer NOT NULL
);
-- Pruning.
CREATE INDEX audit_log_by_age ON audit_log (at);

-- Sign-ins to the dashboard that were ended before they expired. Copies of their cookies are refused.
CREATE TABLE signouts (
    -- A random value in the cookie, which gives no access by itself.
    nonce text PRIMARY KEY,
    -- When the last cookie of the sign-in expires; the row has no effect after that.
    expires_at timestamptz NOT NULL
);
