-- Names and colours that people give to sessions, by which they tell them apart.
CREATE TABLE session_names (
    -- Of an account, its first session.
    session_number integer PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    name text,
    colour text,
    changed_at timestamptz NOT NULL DEFAULT now()
);
