"""Defines facts, columns, keys, addresses, spellings and times; imports no other package of this project."""
