-- Identities: one person under several addresses.

-- A phone in another national spelling is merged as a LID is (store/model/addresses.py).
ALTER TABLE chats DROP CONSTRAINT chats_check;
ALTER TABLE chats ADD CONSTRAINT chats_merged_kind CHECK (merged_into IS NULL OR kind IN ('lid', 'phone')) NOT VALID;
COMMENT ON COLUMN lid_aliases.lid IS 'A LID, or the phone in another national spelling.';

-- The canonical address of a person in a session; the address itself if it has no chat. `public` is named because a
-- replay compares with a copy of some chats in another schema.
CREATE FUNCTION canonical_address(session_id text, address text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        (
            SELECT canonical.address
            FROM public.chats AS c
            JOIN public.chats AS canonical ON canonical.chat_id = c.canonical_chat_id
            WHERE c.session_id = canonical_address.session_id AND c.address = canonical_address.address
        ),
        canonical_address.address
    )
$$;
