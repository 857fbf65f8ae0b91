-- Annotations: what users of the dashboard add to the history. No event tells of them.

-- Like `unread`, a flag that only the row knows; copies of a message share it.
ALTER TABLE whatsapp_messages
    ADD COLUMN starred boolean NOT NULL DEFAULT false;

-- Labels and notes stay with the address that stood for the chat when they were written; they are shown with whichever
-- chat that address is merged into now. An erased chat takes its own along, also where an older worker erases it.
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
-- The search among chats.
CREATE INDEX chat_notes_by_text ON chat_notes USING gin (text gin_trgm_ops);
