-- Each person who signs in at a provider of OpenID Connect has a token. Its hash is not that of a secret.
ALTER TABLE api_tokens
    -- The provider and its permanent id of the person; null: a token with a secret.
    ADD COLUMN subject text;
