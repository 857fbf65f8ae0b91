"""Parses the events of each kind of sender, one package per kind, into the store's facts."""
