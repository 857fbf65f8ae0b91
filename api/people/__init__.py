"""Lets admins say who may use the API, and shows them what was done with it."""
