"""Describes the calls, a module for each kind."""
