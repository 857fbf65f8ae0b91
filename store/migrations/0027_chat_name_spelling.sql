-- store/search_index/chat_names.py normalises the names of chats for searching. The worker normalises new names, and
-- again those that another version of the program normalised.
ALTER TABLE chat_names
    -- The document of the name; null: not built yet.
    ADD COLUMN text text,
    ADD COLUMN spelling smallint NOT NULL DEFAULT 0;

CREATE FUNCTION reset_chat_name_spelling() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    new.text := NULL;
    new.spelling := 0;
    RETURN new;
END
$$;

CREATE TRIGGER reset_chat_name_spelling
    BEFORE UPDATE OF name ON chat_names
    FOR EACH ROW
    WHEN (old.name IS DISTINCT FROM new.name)
    EXECUTE FUNCTION reset_chat_name_spelling();
