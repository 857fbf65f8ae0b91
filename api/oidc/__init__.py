"""Signs people in at a provider of OpenID Connect; imports nothing else of the api."""
