"""Defines the contract between ingest and the worker, such as the format of stream entries; the worker imports only this."""
