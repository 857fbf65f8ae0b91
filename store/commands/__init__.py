"""The commands of `python -m store`, a module per command."""
