-- True if the gateway reported the message only as one of the past. Such a message is not unread until it is also
-- reported as new.
ALTER TABLE whatsapp_messages ADD COLUMN is_history boolean NOT NULL DEFAULT false;
