-- People who sign in at a provider of OpenID Connect have a token each, whose hash is of no secret.
ALTER TABLE api_tokens
    -- The provider and its permanent name of the person; null: a token with a secret.
    ADD COLUMN subject text;
