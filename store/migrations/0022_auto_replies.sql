-- True if the gateway replies automatically. The gateway reports it apart from a session's status.
ALTER TABLE session_checks
    ADD COLUMN auto_reply boolean,
    -- The time of that report, in ms.
    ADD COLUMN auto_reply_at bigint,
    -- The time of the last query, answered or not.
    ADD COLUMN auto_reply_asked_at timestamptz;
