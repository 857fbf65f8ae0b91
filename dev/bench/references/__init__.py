"""Alternatives to this system, each written as its own documentation recommends."""
