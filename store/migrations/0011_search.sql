-- Search: words and substrings in any script, by trigrams.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The same for what is kept and for what is asked: compatible characters are one character, case does not count, digits
-- of any script are digits.
CREATE FUNCTION search_plain(text text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE
        WHEN text ~ '[^\x01-\x7f]' THEN translate(
            lower(normalize(text, NFKC)),
            '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯',
            '0123456789012345678901234567890123456789'
        )
        ELSE lower(text)
    END;

-- What is kept, and besides it, what pg_trgm could not find by itself, spelled so that it can: writing without words (a
-- character is a word), emoji (a word made of its number), numbers cut by spaces and hyphens (once more in one piece).
-- store/reading/search.py asks in the same spelling.
CREATE FUNCTION search_text(text text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    plain text := search_plain(text);
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

-- Beside the messages, so that an ack or a read flag does not write an index entry per trigram, and so that whoever
-- stores messages does not wait for this index: it follows the change feed (store/feed/search_index.py).
CREATE TABLE searchable (
    id bigint PRIMARY KEY REFERENCES whatsapp_messages ON DELETE CASCADE,
    chat_id bigint NOT NULL,
    session_id text NOT NULL,
    direction text NOT NULL,
    message_type text NOT NULL,
    timestamp bigint NOT NULL,
    text text NOT NULL
);

-- One row: up to which change the messages can be found.
CREATE TABLE searchable_upto (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    xid xid8 NOT NULL,
    change_id bigint NOT NULL DEFAULT 0
);
INSERT INTO searchable_upto (xid) VALUES (pg_snapshot_xmin(pg_current_snapshot()));
INSERT INTO searchable (id, chat_id, session_id, direction, message_type, timestamp, text)
SELECT m.id, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp,
    search_text(concat_ws(' ', m.message_text, m.caption, m.file_name))
FROM whatsapp_messages AS m
WHERE m.deleted_at IS NULL AND concat_ws('', m.message_text, m.caption, m.file_name) <> '';

CREATE INDEX searchable_text ON searchable USING gin (text gin_trgm_ops);
-- Words that everybody says are found among the newest messages; those of one chat by reading the chat.
CREATE INDEX searchable_newest ON searchable (timestamp, id);
CREATE INDEX searchable_of_chat ON searchable (chat_id, timestamp, id);
