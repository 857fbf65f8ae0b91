-- Annotations, which users of the dashboard add to the history. No event contains them.

-- Like `unread`, the flag is only in this row; copies of a message share it.
ALTER TABLE whatsapp_messages
    ADD COLUMN starred boolean NOT NULL DEFAULT false;

-- Labels and notes belong to the chat that was canonical when they were written, and are shown with the chat into which
-- that one is merged now. If a chat is erased, they are deleted with it, even by an older worker.
CREATE TABLE chat_labels (
    chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
    label text NOT NULL,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chat_id, label)
);
-- The chats with a label.
CREATE INDEX chat_labels_by_label ON chat_labels (label, chat_id);

CREATE TABLE chat_notes (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
    text text NOT NULL,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Null: never changed.
    changed_at timestamptz
);
CREATE INDEX chat_notes_by_chat ON chat_notes (chat_id);
-- For searching chats.
CREATE INDEX chat_notes_by_text ON chat_notes USING gin (text gin_trgm_ops);
