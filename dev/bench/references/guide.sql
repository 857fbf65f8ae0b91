-- The two tables of the published guide, with its indexes: what its readers have today.
CREATE TABLE whatsapp_messages (
    id serial PRIMARY KEY,
    message_id varchar(255) UNIQUE,
    session_id varchar(255) NOT NULL,
    direction varchar(16) NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    from_number varchar(64),
    to_number varchar(64),
    message_type varchar(16) CHECK (message_type IN ('text', 'image', 'video', 'document', 'audio')),
    message_text text,
    media_url text,
    caption text,
    status varchar(16),
    timestamp bigint,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON whatsapp_messages (session_id);
CREATE INDEX ON whatsapp_messages (from_number);
CREATE INDEX ON whatsapp_messages (to_number);
CREATE INDEX ON whatsapp_messages (timestamp);

CREATE TABLE whatsapp_contacts (
    id serial PRIMARY KEY,
    phone_number varchar(64) UNIQUE NOT NULL,
    name varchar(255),
    last_message_at timestamptz,
    unread_count integer DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
