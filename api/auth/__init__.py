"""Decides who may ask, and for what."""
