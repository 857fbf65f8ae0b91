-- Whether only the gateway's account of the past has the message. Such a message is not unread; once it is reported as
-- new, it is.
ALTER TABLE whatsapp_messages ADD COLUMN is_history boolean NOT NULL DEFAULT false;
