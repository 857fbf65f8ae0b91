"""Defines the contract between ingest and the worker. The worker may import no other part of ingest."""
