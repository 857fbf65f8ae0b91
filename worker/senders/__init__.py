"""Parses the events of each kind of sender into facts, with one package per kind."""
