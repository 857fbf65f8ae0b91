-- Documents of the search index are spelled by store/search_index/search_document.py; the worker spells those again that another
-- version of the program wrote. search_normalized() and search_document() remain for workers of 1.0.

ALTER TABLE search_index
    ADD COLUMN spelling smallint NOT NULL DEFAULT 1;
-- Up to this spelling all documents were brought.
ALTER TABLE search_index_position
    ADD COLUMN spelling smallint NOT NULL DEFAULT 1;

-- Only workers of 1.0 update documents; later ones delete and insert.
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
