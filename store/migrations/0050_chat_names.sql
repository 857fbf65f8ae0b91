-- Chats by name and number: substrings, by trigrams.

-- Beside the chats, whose rows are written anew with every message: an index of theirs would be, too. A name changes
-- rarely. Kept by triggers, so that whatever writes a chat, of whatever version, keeps it: the fold, a replay, a merge.
CREATE TABLE chat_names (
    chat_id bigint PRIMARY KEY,
    address text NOT NULL,
    name text
);

CREATE FUNCTION keep_new_chat_names() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO chat_names (chat_id, address, name)
    SELECT m.chat_id, m.address, m.name
    FROM made AS m
    ORDER BY m.chat_id
    ON CONFLICT (chat_id) DO UPDATE
    SET address = excluded.address, name = excluded.name;
    RETURN NULL;
END
$$;
CREATE FUNCTION keep_chat_name() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO chat_names (chat_id, address, name)
    VALUES (new.chat_id, new.address, new.name)
    ON CONFLICT (chat_id) DO UPDATE
    SET address = excluded.address, name = excluded.name;
    RETURN NULL;
END
$$;
-- Also whatever is forgotten.
CREATE FUNCTION drop_chat_name() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM chat_names AS n
    WHERE n.chat_id = old.chat_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_new_chat_names AFTER INSERT ON chats
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION keep_new_chat_names();
CREATE TRIGGER keep_chat_name AFTER UPDATE ON chats
    FOR EACH ROW WHEN (old.name IS DISTINCT FROM new.name OR old.address <> new.address)
    EXECUTE FUNCTION keep_chat_name();
CREATE TRIGGER drop_chat_name AFTER DELETE ON chats FOR EACH ROW EXECUTE FUNCTION drop_chat_name();

INSERT INTO chat_names (chat_id, address, name)
SELECT c.chat_id, c.address, c.name
FROM chats AS c;
