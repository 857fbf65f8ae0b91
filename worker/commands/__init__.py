"""Commands of `python -m worker`."""
