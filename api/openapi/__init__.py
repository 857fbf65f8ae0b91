"""Describes the API as an OpenAPI document."""
