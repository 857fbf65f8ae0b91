"""Authenticates callers, and limits what they may do and which sessions they may see."""
