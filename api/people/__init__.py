"""Lets admins decide who may use the API, and shows them what was done with it."""
