"""Erases a person on request and keeps them erased."""
