-- Search: words and substrings in any script, by trigrams.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The spelling in which texts are indexed and searched: Unicode compatibility forms are one form, letters are lower
-- case, digits of any script are ASCII.
CREATE FUNCTION search_normalized(text text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE
        WHEN text ~ '[^\x01-\x7f]' THEN translate(
            lower(normalize(text, NFKC)),
            '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯',
            '0123456789012345678901234567890123456789'
        )
        ELSE lower(text)
    END;

-- A text as it is indexed: its normalized spelling, and spellings of what trigrams alone do not find. A character of a
-- script without spaces is a word, an emoji is a word made of its code point, and a number with separators is repeated
-- without them. store/reading/search_terms.py spells queries the same way.
CREATE FUNCTION search_document(text text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    plain text := search_normalized(text);
BEGIN
    IF plain ~ '[^\x01-\x7f]' THEN
        IF plain ~ '[\u2190-\u2bff\U0001f000-\U0001faff]' THEN
            plain := plain || (
                SELECT ' ' || string_agg(DISTINCT 'emoji' || ascii(e.found[1]) || 'x', ' ')
                FROM regexp_matches(plain, '[\u2190-\u2bff\U0001f000-\U0001faff]', 'g') AS e (found)
            );
        END IF;
        plain := regexp_replace(
            plain, '([\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g'
        );
    END IF;
    IF plain ~ '[0-9][ ().\u00a0\u2010-\u2015/-]+[0-9]' THEN
        plain := plain || (
            SELECT ' ' || string_agg(DISTINCT regexp_replace(n.found[1], '[^0-9]', '', 'g'), ' ')
            FROM regexp_matches(plain, '([0-9]+(?:[ ().\u00a0\u2010-\u2015/-]+[0-9]+)+)', 'g') AS n (found)
        );
    END IF;
    RETURN plain;
END
$$;

-- A table of its own, so that an acknowledgement or a read flag does not rewrite an index entry per trigram. It follows
-- the change feed, so that storing messages does not wait for the trigram index.
CREATE TABLE search_index (
    id bigint PRIMARY KEY REFERENCES whatsapp_messages ON DELETE CASCADE,
    chat_id bigint NOT NULL,
    timestamp bigint NOT NULL,
    session_id text NOT NULL,
    direction text NOT NULL,
    message_type text NOT NULL,
    text text NOT NULL
);
CREATE INDEX search_index_by_trigram ON search_index USING gin (text gin_trgm_ops);
-- Frequent words are found among the newest messages, and words of one chat by scanning the chat.
CREATE INDEX search_index_newest ON search_index (timestamp, id);
CREATE INDEX search_index_by_chat ON search_index (chat_id, timestamp, id);

-- One row: the change up to which messages are indexed.
CREATE TABLE search_index_position (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    xid xid8 NOT NULL,
    change_id bigint NOT NULL DEFAULT 0
);
INSERT INTO search_index_position (xid)
VALUES (pg_snapshot_xmin(pg_current_snapshot()));

-- Names and addresses of chats. A table of its own, because rows of chats are rewritten with every message and names
-- rarely change. Triggers maintain it, so that it follows every writer of chats.
CREATE TABLE chat_names (
    chat_id bigint PRIMARY KEY,
    address text NOT NULL,
    name text
);
CREATE INDEX chat_names_by_name ON chat_names USING gin (name gin_trgm_ops);
CREATE INDEX chat_names_by_address ON chat_names USING gin (address gin_trgm_ops);

CREATE FUNCTION copy_new_chat_names() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO chat_names (chat_id, address, name)
    SELECT i.chat_id, i.address, i.name
    FROM inserted AS i
    ORDER BY i.chat_id
    ON CONFLICT (chat_id) DO UPDATE
    SET address = excluded.address, name = excluded.name;
    RETURN NULL;
END
$$;

CREATE TRIGGER copy_new_chat_names
    AFTER INSERT ON chats
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT
    EXECUTE FUNCTION copy_new_chat_names();

CREATE FUNCTION copy_changed_chat_name() RETURNS trigger
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

CREATE TRIGGER copy_changed_chat_name
    AFTER UPDATE ON chats
    FOR EACH ROW
    WHEN (old.name IS DISTINCT FROM new.name OR old.address <> new.address)
    EXECUTE FUNCTION copy_changed_chat_name();

CREATE FUNCTION delete_chat_name() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM chat_names AS n
    WHERE n.chat_id = old.chat_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER delete_chat_name
    AFTER DELETE ON chats
    FOR EACH ROW
    EXECUTE FUNCTION delete_chat_name();
