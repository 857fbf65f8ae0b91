"""Finds the sessions of one phone number, and makes their histories one."""
