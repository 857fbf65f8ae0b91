"""What every endpoint shares: responses, errors, parameters, the database, the request log."""
