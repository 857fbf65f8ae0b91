-- store/search_index/search_document.py builds the documents of the search index. The worker builds those again that
-- another version of the program built. search_normalized() and search_document() remain for workers of 1.0.

ALTER TABLE search_index
    ADD COLUMN spelling smallint NOT NULL DEFAULT 1;
-- All documents have this spelling or a later one.
ALTER TABLE search_index_position
    ADD COLUMN spelling smallint NOT NULL DEFAULT 1;

-- Only workers of 1.0 update documents; later workers delete and insert them.
CREATE FUNCTION reset_search_spelling() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    new.spelling := 1;
    RETURN new;
END
$$;

CREATE TRIGGER reset_search_spelling
    BEFORE UPDATE OF text ON search_index
    FOR EACH ROW
    EXECUTE FUNCTION reset_search_spelling();
