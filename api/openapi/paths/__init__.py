"""Describes the calls of the API, with a module for each folder of endpoints."""
