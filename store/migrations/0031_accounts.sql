-- Accounts: sessions of several gateways for one phone number (store/history/sessions/accounts.py).

-- The sessions of accounts that have several; empty while every number has one session.
CREATE TABLE account_sessions (
    session_number integer PRIMARY KEY REFERENCES sessions,
    -- The primary session, to which the account's message keys, evidence on aliases and canonical chats belong.
    primary_number integer NOT NULL REFERENCES sessions,
    -- The account's phone.
    account text NOT NULL,
    -- The time from which the session is expected to report every message, in ms: about the time when it joined.
    first_at bigint NOT NULL,
    -- True if its earlier keys and chats are merged into those of the account.
    is_merged boolean NOT NULL
);

-- Returns the sessions of accounts and locks them until the caller's transaction ends. Writers of the history share the
-- lock; a session that joins takes it exclusively.
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

-- Returns the primary session of this session's account, or the session itself if it has no account.
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

-- A chat of any kind is merged into the chat of the primary session.
ALTER TABLE chats DROP CONSTRAINT chats_merged_kind;

-- As in 0018_identities.sql. For a session that has no chat with this address, the primary session's chat counts.
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
