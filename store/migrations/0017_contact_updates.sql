-- The guide's readers write `UPDATE whatsapp_contacts SET unread_count = 0 …`. Without this trigger, the view would
-- change the count of the chat but not its messages, and the next message would restore the old count.

CREATE FUNCTION write_contact() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    members bigint[];
BEGIN
    IF TG_OP <> 'UPDATE'
        OR NEW.unread_count IS DISTINCT FROM 0
        OR to_jsonb(NEW) - 'unread_count' IS DISTINCT FROM to_jsonb(OLD) - 'unread_count'
    THEN
        RAISE EXCEPTION 'whatsapp_contacts is computed from the messages'
            USING ERRCODE = 'feature_not_supported',
                HINT = 'Only unread_count can be set, and only to 0, which marks the chat as read.';
    END IF;
    -- LIDs first and then by address, as every writer locks.
    members := ARRAY(SELECT m.chat_id FROM chat_ids_of(OLD.id) AS m);
    PERFORM
    FROM chats AS c
    WHERE c.chat_id = ANY(members) AND c.kind = 'lid'
    ORDER BY c.session_id, c.address
    FOR UPDATE;
    PERFORM
    FROM chats AS c
    WHERE c.chat_id = ANY(members) AND c.kind <> 'lid'
    ORDER BY c.session_id, c.address
    FOR UPDATE;
    IF NOT EXISTS (SELECT FROM chats AS c WHERE c.chat_id = OLD.id AND c.merged_into IS NULL)
        OR members <> ARRAY(SELECT m.chat_id FROM chat_ids_of(OLD.id) AS m)
    THEN
        RAISE EXCEPTION 'the addresses of the chat changed' USING ERRCODE = 'serialization_failure';
    END IF;
    UPDATE whatsapp_messages AS m
    SET unread = false
    WHERE m.chat_id = ANY(members) AND m.unread;
    UPDATE chats AS c
    SET unread = 0, marked_unread = false, rev = c.rev + 1
    WHERE c.chat_id = OLD.id AND (c.unread <> 0 OR c.marked_unread);
    IF FOUND THEN
        INSERT INTO changes (kind, session_id, chat_id)
        VALUES ('read', OLD.session_id, OLD.id);
        PERFORM pg_notify('sak_changes', '');
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER write_contact INSTEAD OF INSERT OR UPDATE OR DELETE ON whatsapp_contacts
    FOR EACH ROW EXECUTE FUNCTION write_contact();
