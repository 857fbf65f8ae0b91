-- Names and colours that users give to sessions, to distinguish them.
CREATE TABLE session_names (
    -- For an account, its primary session.
    session_number integer PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    name text,
    colour text,
    changed_at timestamptz NOT NULL DEFAULT now()
);
