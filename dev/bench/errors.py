class BrokenPromiseError(Exception):
    """A measured run gave a wrong result, so its figures are worthless."""
