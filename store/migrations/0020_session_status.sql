-- What the gateway's status of a session says beside its state. Times in ms.
ALTER TABLE session_checks
    -- The last check that got a status.
    ADD COLUMN checked_at bigint,
    ADD COLUMN is_connected boolean,
    -- When the session last connected to WhatsApp, by the gateway's clock.
    ADD COLUMN last_connected_at bigint,
    ADD COLUMN phone text,
    -- The last check that named the phone: the newer of it and an event's report counts.
    ADD COLUMN phone_at bigint,
    ADD COLUMN name text;
