"""Stores API tokens, ended sign-ins and the audit log."""
