-- The canonical chats that an audited request concerned. Its path is stored as a pattern, such as
-- /api/chats/{phone}/read, because the path itself may contain an address.
ALTER TABLE audit_log
    ADD COLUMN chat_ids bigint[] NOT NULL DEFAULT '{}';
