-- The gateway's status of a session. Times in ms.
ALTER TABLE session_checks
    -- The last check that the gateway answered.
    ADD COLUMN checked_at bigint,
    ADD COLUMN is_connected boolean,
    -- The time of the session's last connect to WhatsApp, by the gateway's clock.
    ADD COLUMN last_connected_at bigint,
    ADD COLUMN phone text,
    -- The last check with a phone. The phone in an event's report counts instead if that report is newer.
    ADD COLUMN phone_at bigint,
    ADD COLUMN name text;
