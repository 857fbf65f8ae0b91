"""Contains what all endpoints share: responses, errors, parameters, the database and the request log."""
