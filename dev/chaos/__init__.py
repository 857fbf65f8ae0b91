"""Hurts a running system on purpose, and checks that what was acknowledged is what is there."""
