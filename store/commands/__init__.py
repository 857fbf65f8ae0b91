"""What an operator asks of the database, a module per command."""
