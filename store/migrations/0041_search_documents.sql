-- A trigger deletes the document of a deleted message. A foreign key would look up the message of every document and
-- write a lock into its row.

ALTER TABLE search_index DROP CONSTRAINT search_index_id_fkey;

-- The lock makes indexing wait until the transaction ends, because deleted messages would be indexed otherwise
-- (store/postgres/advisory_locks.py).
CREATE FUNCTION delete_search_documents() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM deleted) THEN
        PERFORM pg_advisory_xact_lock(4910223774310982651);
        DELETE FROM public.search_index AS s USING deleted AS d WHERE s.id = d.id;
        DELETE FROM public.search_skipped AS s USING deleted AS d WHERE s.id = d.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER delete_search_documents
    AFTER DELETE ON whatsapp_messages
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT
    EXECUTE FUNCTION delete_search_documents();
