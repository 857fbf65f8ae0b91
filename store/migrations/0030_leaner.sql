-- Leaner indexes of messages: what they no longer hold decides only between messages of one millisecond.

-- A conversation in order: ties beyond (timestamp, arrived) are rare and sorted when read, so the ids need not be here.
DROP INDEX whatsapp_messages_in_order;
CREATE INDEX whatsapp_messages_in_order ON whatsapp_messages (chat_id, timestamp, arrived);
DROP INDEX whatsapp_messages_answers;
CREATE INDEX whatsapp_messages_answers ON whatsapp_messages (chat_id, timestamp)
    WHERE direction = 'outgoing' AND status IS DISTINCT FROM 'failed';
-- All unread messages of a chat are read together, so equal keys share one entry.
DROP INDEX whatsapp_messages_unread;
CREATE INDEX whatsapp_messages_unread ON whatsapp_messages (chat_id) WHERE unread;

-- Each row was checked against these three although its writer holds locks on the very rows it refers to, none of which
-- is ever deleted; it was a fifth of PostgreSQL's work, and made all workers share a lock on the row of their session.
ALTER TABLE keys DROP CONSTRAINT keys_session_fkey;
ALTER TABLE whatsapp_messages DROP CONSTRAINT whatsapp_messages_key_id_fkey;
ALTER TABLE whatsapp_messages DROP CONSTRAINT whatsapp_messages_chat_id_fkey;
