"""Commands of `python -m api`."""
