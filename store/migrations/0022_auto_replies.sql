-- Whether the gateway answers by itself, which it reports apart from a session's status.
ALTER TABLE session_checks
    ADD COLUMN auto_reply boolean,
    -- When auto_reply was reported, in ms.
    ADD COLUMN auto_reply_at bigint,
    -- When it was last asked for, answered or not.
    ADD COLUMN auto_reply_asked_at timestamptz;
