-- Accounts: sessions of several gateways for one phone number (store/history/sessions/accounts.py).

-- The sessions of each account that has several; empty while every number has one session.
CREATE TABLE account_sessions (
    session_number integer PRIMARY KEY REFERENCES sessions,
    -- The account's first session. Message keys and evidence on aliases are its own; its chats are canonical.
    primary_number integer NOT NULL REFERENCES sessions,
    -- The account's phone.
    account text NOT NULL,
    -- From when on the session is expected to report every message, in ms: about when it joined.
    first_at bigint NOT NULL,
    -- Its keys and chats from before it joined are merged into the account's.
    is_merged boolean NOT NULL
);

-- The sessions of accounts, which stay as they are until the caller's transaction ends: whoever writes the history
-- shares the lock, and a session joins under the exclusive one.
CREATE FUNCTION lock_accounts() RETURNS TABLE (session_id text, primary_id text, is_merged boolean)
    LANGUAGE plpgsql VOLATILE ROWS 1
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(8812460337195520541);
    RETURN QUERY
    SELECT s.session_id, p.session_id, a.is_merged
    FROM public.account_sessions AS a
    JOIN public.sessions AS s USING (session_number)
    JOIN public.sessions AS p ON p.session_number = a.primary_number
    ORDER BY s.session_number;
END
$$;

-- The first session of this session's account; the session itself if it has none.
CREATE FUNCTION primary_session(session_id text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        (
            SELECT p.session_id
            FROM public.account_sessions AS a
            JOIN public.sessions AS s USING (session_number)
            JOIN public.sessions AS p ON p.session_number = a.primary_number
            WHERE s.session_id = primary_session.session_id
        ),
        primary_session.session_id
    )
$$;

-- A chat of any kind is merged into that of the account's first session.
ALTER TABLE chats DROP CONSTRAINT chats_merged_kind;

-- As in 0018_identities.sql; for a session that has no chat of this address, as the account's first session knows it.
CREATE OR REPLACE FUNCTION canonical_address(session_id text, address text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        (
            SELECT canonical.address
            FROM public.chats AS c
            JOIN public.chats AS canonical ON canonical.chat_id = c.canonical_chat_id
            WHERE c.session_id = canonical_address.session_id AND c.address = canonical_address.address
        ),
        (
            SELECT canonical.address
            FROM public.account_sessions AS a
            JOIN public.sessions AS s USING (session_number)
            JOIN public.sessions AS p ON p.session_number = a.primary_number
            JOIN public.chats AS c ON c.session_id = p.session_id
            JOIN public.chats AS canonical ON canonical.chat_id = c.canonical_chat_id
            WHERE s.session_id = canonical_address.session_id AND c.address = canonical_address.address
        ),
        canonical_address.address
    )
$$;
