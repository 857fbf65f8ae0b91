"""Defines the contract between ingest and the worker, such as the stream entries; the worker imports only this."""
