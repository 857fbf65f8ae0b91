"""Shared by all endpoints: responses, errors, parameters, the database, the request log."""
