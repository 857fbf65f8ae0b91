"""Signs people in at an OpenID Connect provider; imports nothing else of the api."""
