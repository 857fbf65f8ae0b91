class BrokenPromiseError(Exception):
    """A promise was broken in a measured run: no figure of that run is worth anything."""
