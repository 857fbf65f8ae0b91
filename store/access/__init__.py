"""Stores who may use the API and which sessions they may see, and the audit log."""
