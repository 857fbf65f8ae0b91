"""The contract between ingest and the worker; the only part of ingest that the worker may import."""
