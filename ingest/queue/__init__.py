"""Defines the contract between ingest and the worker, above all the format of stream entries; the worker imports only this."""
